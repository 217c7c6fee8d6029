package extraction

import "strings"

// AccountState is an account as operators see it.
type AccountState struct {
	Name string `json:"name"`
	// Provider is null for an account that is in the configuration no more.
	Provider Null `json:"provider"`
	// State is active or paused; a paused one has a Reason.
	State  string `json:"state" enum:"active,paused"`
	Reason Null   `json:"reason" doc:"operator, unauthorized, quota or unavailable; null while it is active"`
	Since  Time   `json:"since"`
	// NextProbeAt is when one call tries whether the reason is over.
	NextProbeAt Time `json:"next_probe_at"`
	// Queued is what waits for its submission, the oldest of it since
	// OldestQueuedAt. InFlight is what the vendor has.
	Queued         int64 `json:"queued"`
	InFlight       int64 `json:"in_flight"`
	OldestQueuedAt Time  `json:"oldest_queued_at"`
	// Rate is how many calls a second are allowed, null where the account is in the
	// configuration no more; RateUsed is how many are made.
	Rate      *float64 `json:"rate"`
	RateUsed  float64  `json:"rate_used"`
	LastError *Trouble `json:"last_error"`
}

// The states of an account.
const (
	AccountActive = "active"
	AccountPaused = "paused"
)

// ValidAccount reports whether a name may be an account's: 1 to 40 characters of a-z, 0-9
// and "-", as it is part of Redis keys and of queue names, and neither "deliver" nor
// "system", which are queues that all accounts share.
func ValidAccount(name string) bool {
	if name == "" || len(name) > 40 || name == "deliver" || name == "system" {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
