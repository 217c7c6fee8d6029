package main

import (
	"fmt"
	"net/netip"
	"net/url"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/provider/typless"
)

// webhooks says of each account that takes webhooks where its vendor calls.
func (d *doctor) webhooks(cfg settings) {
	for _, a := range cfg.Accounts {
		if a.HookToken.IsZero() {
			continue
		}
		state, message := judgeHook(cfg.API.PublicURL, a)
		d.found("webhooks of "+a.Name, state, "%s", message)
	}
}

// shortToken is how long a token is that can be guessed.
const shortToken = 16

// judgeHook says whether the vendor of an account that takes webhooks can call.
func judgeHook(publicURL string, a config.Account) (health, string) {
	if publicURL == "" {
		return healthNote, fmt.Sprintf("accounts.%s.hook_token is set and api.public_url is not: no submission tells the vendor where to call", a.Name)
	}
	// The token is a secret.
	where := publicURL + "/v1/hooks/" + a.Name + "/HOOK_TOKEN"
	if len(a.HookToken.Reveal()) < shortToken {
		return healthNote, fmt.Sprintf("accounts.%s.hook_token has fewer than %d characters and can be guessed: openssl rand -hex 24 makes a good one", a.Name, shortToken)
	}
	if u, err := url.Parse(publicURL); err == nil && u.Scheme == "http" && !thisMachine(u.Hostname()) {
		return healthNote, "api.public_url is not https: whoever is on the way can read the tokens of webhooks"
	}
	if a.Provider == typless.Name { // Its webhooks are the account's, not a submission's.
		return healthOK, "enter " + where + " in Typless's dashboard, under Profile"
	}
	return healthOK, "the vendor is told to call " + where
}

// thisMachine reports whether a host is no other machine, as in a trial.
func thisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
