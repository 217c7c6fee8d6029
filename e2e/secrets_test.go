package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The keys and the signatures of upload URLs must turn up nowhere but at the
// vendor, whatever the vendor says and however wrong things go.

// echo is an unkind vendor: its errors repeat what the request was authorized
// with.
func echo(status int) func(*exchange) {
	return func(x *exchange) {
		x.refuse(status, fmt.Sprintf(`{"error":"bad request","authorization":%q,"query":%q,"url":%q}`,
			x.r.Header.Get("Authorization"), x.r.URL.RawQuery, "http://"+x.r.Host+x.r.URL.String()))
	}
}

// echoXML is S3's way of saying no, with more than S3 would say.
func echoXML(x *exchange) {
	x.w.Header().Set("Content-Type", "application/xml")
	x.refuse(http.StatusInternalServerError, fmt.Sprintf(
		`<?xml version="1.0"?><Error><Code>InternalError</Code><Message>%s</Message><Resource>%s</Resource></Error>`,
		strings.ReplaceAll(x.r.URL.RawQuery, "&", "&amp;"), x.r.URL.Path))
}

// misbehave spreads faults that echo secrets over a vendor's calls: few enough
// in a row for everything to end well.
func (v *vendor) misbehave() {
	second := func(k int) func(int) bool { return func(n int) bool { return n == k } }
	for _, o := range []op{opOpen, opSubmit, opPoll} {
		first, last := http.StatusInternalServerError, http.StatusBadGateway
		if o == opSubmit { // A submission that may have arrived is looked for for minutes.
			first, last = http.StatusServiceUnavailable, http.StatusNotImplemented
		}
		v.on(o, second(1), echo(first))
		v.on(o, second(4), answerLost)
		v.on(o, second(6), echo(last))
	}
	v.on(opPut, second(1), echoXML)
	v.on(opPut, second(3), requestLost)
	v.on(opPut, second(4), echo(http.StatusServiceUnavailable))
}

// secrets are the texts to look for: the keys, also in base64, and the upload
// URLs' signatures.
func (s *site) secrets() []string {
	all := s.vendor.uploadSignatures()
	for _, key := range []string{sensibleKey, typlessKey, hookToken} {
		all = append(all, key, base64.StdEncoding.EncodeToString([]byte(key)))
	}
	return all
}

// wantNoSecret fails the test when a text holds a secret. It names the place and
// not the secret.
func (s *site) wantNoSecret(place, text string) {
	s.t.Helper()
	for i, secret := range s.secrets() {
		if at := strings.Index(text, secret); secret != "" && at >= 0 {
			s.t.Errorf("%s holds secret number %d, after %q", place, i, text[max(0, at-80):at])
			return
		}
	}
}

// wantNoSecretBelow searches all files in a folder.
func (s *site) wantNoSecretBelow(dir string) {
	s.t.Helper()
	names := allFiles(s.t, dir)
	if len(names) == 0 {
		s.t.Errorf("%s is empty: nothing was searched", dir)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			s.t.Fatal(err)
		}
		s.wantNoSecret(name, string(body))
	}
}

// wantNoSecretInRedis searches every key and value of the site's Redis.
func (s *site) wantNoSecretInRedis() {
	s.t.Helper()
	values := everything(s.t, s.redis.Client())
	if len(values) == 0 {
		s.t.Error("the Redis is empty: nothing was searched")
	}
	for key, value := range values {
		s.wantNoSecret("key "+key, key)
		s.wantNoSecret("value of "+key, value)
	}
}

func TestServicesKeepSecrets(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		s.vendor.misbehave()
		docs := s.documents("inbox", 8)
		processes := []*process{s.start(s.shared("scheduler", "--log-level", "debug")...)}
		processes[0].says("scheduler started")
		processes = append(processes, s.worker("--log-level", "debug", "--log-format", "json"))
		ids := s.submit(d.account, paths(docs)...)
		outputs := []result{
			s.run(s.shared(append([]string{"watch", "--log-level", "debug", "--timeout", "80s"}, ids...)...)...).want(t, 0),
		}
		// One that never ends well, so that its error is a final one.
		s.vendor.on(opOpen, always, echo(http.StatusUnprocessableEntity))
		s.vendor.on(opSubmit, always, echo(http.StatusUnprocessableEntity))
		bad := s.submit(d.account, docs[0].path)[0]
		outputs = append(outputs, s.run(s.shared("watch", bad, "--timeout", "60s")...).want(t, 1))
		// And the key is refused in the end.
		s.vendor.on(opOpen, always, echo(http.StatusUnauthorized))
		s.vendor.on(opSubmit, always, echo(http.StatusUnauthorized))
		s.vendor.on(opReady, always, echo(http.StatusUnauthorized))
		refused := s.submit(d.account, docs[1].path)[0]
		processes[1].says("account paused")
		for _, id := range append(ids, bad, refused) {
			outputs = append(outputs, s.run(s.shared("status", id)...).want(t, 0))
		}
		if got := s.status(bad)["error"]; got == nil {
			t.Error("the document that the vendor rejected has no error")
		}

		for i, r := range outputs {
			s.wantNoSecret(fmt.Sprintf("stdout of command %d", i), r.stdout)
			s.wantNoSecret(fmt.Sprintf("stderr of command %d", i), r.stderr)
		}
		for _, p := range processes {
			s.wantNoSecret("the log of "+p.cmd.Args[1], p.stderr.String()+p.stdout.String())
		}
		s.wantNoSecretInRedis()
		s.wantNoSecretBelow(s.path("data"))
	})
}

func TestRunKeepsSecrets(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		s.vendor.misbehave()
		s.documents("inbox", 8)
		out := s.path("results")
		args := s.shared("run", "--account", d.account, "--type", "tax_forms", "--log-level", "debug", "--out", out, s.path("inbox"))
		s.wantNoSecretSaid(s.run(args...).want(t, 0))

		s.documents("inbox", 10)
		s.vendor.on(opOpen, always, echo(http.StatusUnauthorized))
		s.vendor.on(opSubmit, always, echo(http.StatusUnauthorized))
		s.vendor.on(opReady, always, echo(http.StatusUnauthorized))
		r := s.run(args...).want(t, 1)
		if !strings.Contains(r.stderr, "unauthorized") {
			t.Errorf("stderr does not say unauthorized: %q", r.stderr)
		}
		s.wantNoSecretSaid(r)
		s.wantNoSecretInRedis()
		s.wantNoSecretBelow(s.path("data"))
		s.wantNoSecretBelow(out)
	})
}

func (s *site) wantNoSecretSaid(r result) {
	s.t.Helper()
	s.wantNoSecret("stdout", r.stdout)
	s.wantNoSecret("stderr", r.stderr)
}

// TestOwnRedisKeepsTheKey searches the append-only file that a run's own Redis
// leaves behind for the keys and the signatures of upload URLs.
func TestOwnRedisKeepsTheKey(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(time.Second))
	s.vendor.misbehave()
	s.documents("inbox", 8)
	out := s.path("results")
	s.run(runArgs("--log-level", "debug", "--out", out, s.path("inbox"))...).want(t, 0)
	keys := s.secrets()
	for _, name := range allFiles(t, out) {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if strings.Contains(string(body), key) {
				t.Errorf("%s holds a key", name)
			}
		}
		if info, err := os.Stat(name); err == nil && strings.Contains(name, "/.extractq/") && info.Mode().Perm()&0o077 != 0 &&
			!privateFolder(t, filepath.Dir(name), out) {
			t.Errorf("%s can be read by others: %v", name, info.Mode())
		}
	}
}

// allFiles are all regular files below a folder.
func allFiles(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // It has gone while the others were looked at.
		}
		if err == nil && d.Type().IsRegular() {
			out = append(out, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// privateFolder reports whether a folder, or one above it and below top, is only
// its owner's to enter.
func privateFolder(t *testing.T, dir, top string) bool {
	t.Helper()
	for ; dir != top && len(dir) > len(top); dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 == 0 {
			return true
		}
	}
	return false
}
