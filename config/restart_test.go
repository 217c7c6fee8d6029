package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNeedRestart(t *testing.T) {
	t.Parallel()
	now, next := Default(), Default()
	if got := NeedRestart(now, next); got != nil {
		t.Errorf("two equal configurations differ in %q", got)
	}
	next.Redis.WaitReplicas = 1
	next.API.MaxDocument = 1
	next.API.PublicURL = "https://example.com"
	next.API.Keys = []APIKey{{Name: "new"}}
	next.Callbacks.AllowHosts = []string{"internal"}
	next.Callbacks.Secret = NewSecret("whsec_new")
	next.Accounts = []Account{{Name: "new"}}
	want := []string{"redis", "api.public_url", "api.max_document", "callbacks.allow_hosts"}
	if diff := cmp.Diff(want, NeedRestart(now, next)); diff != "" {
		t.Errorf("need a restart (-want +got):\n%s", diff)
	}
}
