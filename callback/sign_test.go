package callback

import (
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Every secret there is verifies with the reference library, and no other does.
func TestSignature(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg     Config
		good    []string
		bad     []string
		signers int
	}{
		"one":                     {Config{Secret: secretA}, []string{secretA}, []string{secretB}, 1},
		"rotation":                {Config{Secret: secretA, PreviousSecret: secretB}, []string{secretA, secretB}, []string{secretC}, 2},
		"rotation to the same":    {Config{Secret: secretA, PreviousSecret: secretA}, []string{secretA}, []string{secretB}, 1},
		"the key's own":           {Config{Secret: secretA, PreviousSecret: secretB, Keys: map[string]KeySecret{"billing": {Secret: secretC}}}, []string{secretC}, []string{secretA, secretB}, 1},
		"another key's":           {Config{Secret: secretA, Keys: map[string]KeySecret{"other": {Secret: secretC}}}, []string{secretA}, []string{secretC}, 1},
		"the key's rotation":      {Config{Secret: secretA, Keys: map[string]KeySecret{"billing": {secretC, secretB}}}, []string{secretC, secretB}, []string{secretA}, 2},
		"a key with an empty one": {Config{Secret: secretA, Keys: map[string]KeySecret{"billing": {Secret: ""}}}, []string{secretA}, []string{secretC}, 1},
		"only a key's":            {Config{Keys: map[string]KeySecret{"billing": {Secret: secretC}}}, []string{secretC}, []string{secretA}, 1},
		"none":                    {Config{}, nil, []string{secretA, secretB, secretC}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var header http.Header
			var body []byte
			p := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				header = r.Header
				body, _ = io.ReadAll(r.Body)
			})
			tt.cfg.AllowHosts = []string{"127.0.0.1"}
			tt.cfg.Keys = withBilling(tt.cfg.Keys)
			s, err := New(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if r := send(t, s, deliveryTo(p.URL)); r.Outcome != OutcomeDelivered {
				t.Fatalf("%+v", r)
			}
			if header.Get("webhook-id") != "01JD8Z3V5K7M9N0P2Q4R6S8T0W-d1" || header.Get("webhook-timestamp") == "" {
				t.Errorf("headers %v", header)
			}
			_, signed := header["Webhook-Signature"]
			if got := len(strings.Fields(header.Get("webhook-signature"))); got != tt.signers || signed != (tt.signers > 0) {
				t.Errorf("%d signatures in %q, want %d", got, header.Get("webhook-signature"), tt.signers)
			}
			for _, secret := range tt.good {
				if err := verifier(t, secret).Verify(body, header); err != nil {
					t.Errorf("with %s: %v", secret, err)
				}
			}
			for _, secret := range tt.bad {
				if verifier(t, secret).Verify(body, header) == nil {
					t.Errorf("%s verifies as well", secret)
				}
			}
			if tt.signers > 0 && verifier(t, tt.good[0]).Verify(append(body, ' '), header) == nil {
				t.Error("a changed body verifies")
			}
		})
	}
}

func verifier(t *testing.T, secret string) *webhooks.Webhook {
	t.Helper()
	w, err := webhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// New secrets hold from the next attempt on; bad ones change nothing.
func TestSetSecrets(t *testing.T) {
	t.Parallel()
	var header http.Header
	var body []byte
	p := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
	})
	s := newSender(t, func(c *Config) { c.Secret = secretA })
	for _, step := range []struct {
		cfg  Config
		fine bool
		want string
	}{
		{Config{Secret: secretB, PreviousSecret: secretA}, true, secretB},
		{Config{Secret: "whsec_short"}, false, secretB},
		{Config{Secret: secretC}, true, secretC},
	} {
		step.cfg.Keys = withBilling(nil)
		if err := s.SetSecrets(step.cfg); (err == nil) != step.fine {
			t.Fatalf("SetSecrets = %v, want fine %v", err, step.fine)
		}
		send(t, s, deliveryTo(p.URL))
		if err := verifier(t, step.want).Verify(body, header); err != nil {
			t.Errorf("after SetSecrets: %v", err)
		}
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	whsec := func(n int) string {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("geheim--", n/8+1)[:n]))
	}
	for name, tt := range map[string]struct {
		cfg  Config
		want []string // All of them in the error; none for no error.
	}{
		"nothing":            {Config{}, nil},
		"24 bytes":           {Config{Secret: whsec(24)}, nil},
		"64 bytes":           {Config{Secret: whsec(64)}, nil},
		"23 bytes":           {Config{Secret: whsec(23)}, []string{"callbacks.secret: want", "24 to 64 bytes"}},
		"65 bytes":           {Config{Secret: whsec(65)}, []string{"callbacks.secret: want"}},
		"no prefix":          {Config{Secret: whsec(24)[6:]}, []string{"callbacks.secret: want"}},
		"no base64":          {Config{Secret: "whsec_geheim!geheim!geheim!geheim!geheim"}, []string{"callbacks.secret: want"}},
		"previous without":   {Config{PreviousSecret: whsec(24)}, []string{"callbacks.previous_secret: it is the one before"}},
		"previous too short": {Config{Secret: whsec(24), PreviousSecret: whsec(8)}, []string{"callbacks.previous_secret: want"}},
		"of a key":           {Config{Keys: map[string]KeySecret{"billing": {Secret: "geheim"}}}, []string{"api.keys.billing.callback_secret: want"}},
		"previous of a key":  {Config{Keys: map[string]KeySecret{"billing": {Previous: whsec(24)}}}, []string{"api.keys.billing.previous_callback_secret: it is"}},
		"hosts":              {Config{AllowHosts: []string{"http://x"}}, []string{"callbacks.allow_hosts"}},
		"negative":           {Config{PerHost: -1}, []string{"negative"}},
		"all of it": {
			Config{Secret: "geheim", Keys: map[string]KeySecret{"b": {Secret: "geheim"}, "a": {Secret: "geheim"}}, AllowHosts: []string{"/"}, Timeout: -1},
			[]string{"negative", "api.keys.a.callback_secret", "api.keys.b.callback_secret", "callbacks.secret", "callbacks.allow_hosts"},
		},
	} {
		s, err := New(tt.cfg)
		if (err == nil) != (len(tt.want) == 0) || (s == nil) != (err != nil) {
			t.Errorf("%s: New = %v", name, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q, want it to have %q", name, err, want)
			}
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the error repeats a secret: %v", name, err)
		}
	}
}

// The example that producers try their own code with is right.
func TestDocumentedExample(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/callbacks.md")
	if err != nil {
		t.Fatal(err)
	}
	example := map[string]string{}
	for line := range strings.Lines(string(doc)) {
		for _, name := range []string{"secret", "webhook-id", "webhook-timestamp", "webhook-signature", "body"} {
			if value, ok := strings.CutPrefix(line, name+"  "); ok {
				example[name] = strings.TrimSpace(value)
			}
		}
	}
	if len(example) != 5 {
		t.Fatalf("the example has %v", example)
	}
	header := http.Header{}
	for name, value := range example {
		header.Set(name, value)
	}
	if err := verifier(t, example["secret"]).VerifyIgnoringTimestamp([]byte(example["body"]), header); err != nil {
		t.Errorf("the reference library does not verify it: %v", err)
	}
	keys, err := newKeyring(example["secret"], "", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := http.Header{}
	keys.sign(got, "", example["webhook-id"], time.Unix(1767225603, 0), []byte(example["body"]))
	if got.Get("webhook-signature") != example["webhook-signature"] {
		t.Errorf("we sign it with %s", got.Get("webhook-signature"))
	}
}

// A callback whose key is gone waits, and is never signed with another's secret. It goes
// when the key is back.
func TestKeyIsGone(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	p := serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	for name, cfg := range map[string]Config{
		"renamed":    {Secret: secretA, Keys: map[string]KeySecret{"billing-2": {Secret: secretB}}},
		"no keys":    {Secret: secretA},
		"no secrets": {},
	} {
		cfg.AllowHosts = []string{"127.0.0.1"}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		calls.Store(0)
		r := send(t, s, deliveryTo(p.URL))
		if r.Outcome != OutcomeBusy || r.RetryAfter <= 0 || !strings.Contains(r.Problem, `"billing"`) || calls.Load() != 0 {
			t.Errorf("%s: %+v after %d calls, want none", name, r, calls.Load())
		}
		cfg.Keys = withBilling(cfg.Keys)
		if err := s.SetSecrets(cfg); err != nil {
			t.Fatal(err)
		}
		if r := send(t, s, deliveryTo(p.URL)); r.Outcome != OutcomeDelivered {
			t.Errorf("%s: with the key back: %+v", name, r)
		}
	}
}
