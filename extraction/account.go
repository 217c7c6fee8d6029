package extraction

import "strings"

// AccountState is an account as operators see it.
type AccountState struct {
	Name string `json:"name"`
	// Provider is null if the account has left the configuration.
	Provider Null `json:"provider"`
	// State is active or paused; a paused account has a Reason.
	State  string `json:"state" enum:"active,paused"`
	Reason Null   `json:"reason" doc:"operator, unauthorized, quota or unavailable; null while it is active"`
	Since  Time   `json:"since"`
	// NextProbeAt is when one call tests whether the reason still holds.
	NextProbeAt Time `json:"next_probe_at"`
	// Queued counts the extractions that wait for submission, the oldest since
	// OldestQueuedAt. InFlight counts those at the vendor.
	Queued         int64 `json:"queued"`
	InFlight       int64 `json:"in_flight"`
	OldestQueuedAt Time  `json:"oldest_queued_at"`
	// Rate is the allowed number of calls a second; null if the account has left the
	// configuration. RateUsed is the actual number.
	Rate      *float64 `json:"rate"`
	RateUsed  float64  `json:"rate_used"`
	LastError *Trouble `json:"last_error"`
}

// The values of AccountState.State.
const (
	AccountActive = "active"
	AccountPaused = "paused"
)

// ValidAccount reports whether a name can be that of an account: 1 to 40 characters a-z,
// 0-9 and "-", because it is part of Redis keys and queue names, and neither "deliver" nor
// "system", the queues that all accounts share.
func ValidAccount(name string) bool {
	if name == "" || len(name) > 40 || name == "deliver" || name == "system" {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
