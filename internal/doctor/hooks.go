package doctor

import (
	"fmt"
	"net/netip"
	"net/url"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/provider/typless"
)

// webhooks reports, for each account with webhooks, the address that its vendor calls.
func (d *checks) webhooks(cfg app.Process) {
	for _, a := range cfg.Accounts {
		if a.HookToken.IsZero() {
			continue
		}
		state, message := JudgeHook(cfg.API.PublicURL, a)
		d.found("webhooks of "+a.Name, state, "%s", message)
	}
}

// shortToken is the length below which a token can be guessed.
const shortToken = 16

// JudgeHook reports whether the vendor of an account can call its webhook.
func JudgeHook(publicURL string, a config.Account) (State, string) {
	if publicURL == "" {
		return Note, fmt.Sprintf("accounts.%s.hook_token is set and api.public_url is not: no submission tells the vendor where to call", a.Name)
	}
	// The token is a secret.
	where := publicURL + "/v1/hooks/" + a.Name + "/HOOK_TOKEN"
	if len(a.HookToken.Reveal()) < shortToken {
		return Note, fmt.Sprintf("accounts.%s.hook_token has fewer than %d characters and can be guessed: openssl rand -hex 24 makes a good one", a.Name, shortToken)
	}
	if u, err := url.Parse(publicURL); err == nil && u.Scheme == "http" && !thisMachine(u.Hostname()) {
		return Note, "api.public_url is not https: every host on the way can read the tokens of webhooks"
	}
	if a.Provider == typless.Name { // Its webhooks are the account's, not a submission's.
		return OK, "enter " + where + " in Typless's dashboard, under Profile"
	}
	return OK, "the vendor is told to call " + where
}

// thisMachine reports whether a host is this machine.
func thisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
