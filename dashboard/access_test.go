package dashboard

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/extractq/extractq/internal/httpauth"
	"github.com/extractq/extractq/internal/redistest"
)

// open is a dashboard on a Redis of its own.
func open(t *testing.T, cfg Config) *Dashboard {
	t.Helper()
	if cfg.Redis == nil {
		cfg.Redis = redistest.Client(t)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// keys are one of each kind.
func keys() []Key {
	return []Key{
		{Name: "viewer", Digest: httpauth.Digest("look-secret")},
		{Name: "boss", Digest: httpauth.Digest("boss-secret"), Operator: true},
		{Name: "tenant", Digest: httpauth.Digest("tenant-secret"), Operator: true, Limited: true},
	}
}

// ask sends one request to the handler.
func ask(d *Dashboard, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, r)
	return w
}

const (
	readTarget   = "/queues/api/queues"
	changeTarget = "/queues/api/queues/acme.poll/scheduled_tasks:batch_run"
)

// Who may look and who may change things. A change that is let through brings
// no ids, which is 400.
func TestAccess(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	open := func(cfg Config) *Dashboard { cfg.Redis = rdb; return open(t, cfg) }
	alone := open(Config{})
	local := open(Config{Operator: true})
	keyed := open(Config{Keys: keys()})
	keyedLocal := open(Config{Keys: keys(), Operator: true})
	free := open(Config{NoAuth: true, Operator: true, Keys: keys()})

	const here = "127.0.0.1:8080"
	bearer := func(s string) []string { return []string{"Authorization", "Bearer " + s} }
	for name, tt := range map[string]struct {
		d            *Dashboard
		headers      []string
		read, change int
	}{
		"no keys":                 {alone, nil, 200, 403},
		"no keys, a key is sent":  {alone, bearer("boss-secret"), 200, 403},
		"no keys, ::1":            {alone, []string{"Host", "[::1]:8080"}, 200, 403},
		"no keys, localhost":      {alone, []string{"Host", "LOCALHOST"}, 200, 403},
		"no keys, a foreign name": {alone, []string{"Host", "evil.example:8080"}, 421, 421},
		"no keys, the LAN's name": {alone, []string{"Host", "192.168.0.7:8080"}, 421, 421},
		"no keys, an empty name":  {alone, []string{"Host", ""}, 421, 421},
		"no keys, a prefix":       {alone, []string{"Host", "127.0.0.1.evil.example"}, 421, 421},
		"operator":                {local, nil, 200, 400},
		"operator, foreign name":  {local, []string{"Host", "evil.example"}, 421, 421},
		"keys, none sent":         {keyed, nil, 401, 401},
		"keys, a wrong one":       {keyed, bearer("boss-secreT"), 401, 401},
		"keys, an empty one":      {keyed, bearer(""), 401, 401},
		"keys, a digest":          {keyed, bearer("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), 401, 401},
		"keys, another scheme":    {keyed, []string{"Authorization", "Digest boss-secret"}, 401, 401},
		"keys, one that looks":    {keyed, bearer("look-secret"), 200, 403},
		"keys, an operator's":     {keyed, bearer("boss-secret"), 200, 400},
		"keys, a lower-case word": {keyed, []string{"Authorization", "bearer boss-secret"}, 200, 400},
		"keys, as a password":     {keyed, []string{"Authorization", "Basic YW55Ym9keTpib3NzLXNlY3JldA=="}, 200, 400},
		"keys, a tenant's":        {keyed, bearer("tenant-secret"), 403, 403},
		"keys, any name":          {keyed, append(bearer("look-secret"), "Host", "queues.example.com"), 200, 403},
		"keys and operator":       {keyedLocal, bearer("look-secret"), 200, 400},
		"keys and operator, none": {keyedLocal, nil, 401, 401},
		"no auth":                 {free, nil, 200, 403},
		"no auth, operator's key": {free, bearer("boss-secret"), 200, 403},
		"no auth, service name":   {free, []string{"Host", "dashboard:8080"}, 200, 403},
		"no auth, cluster name":   {free, []string{"Host", "dashboard.default.svc.cluster.local"}, 200, 403},
		"no auth, foreign name":   {free, []string{"Host", "evil.example"}, 421, 421},

		"operator, own page":      {local, []string{"Sec-Fetch-Site", "same-origin"}, 200, 400},
		"operator, other site":    {local, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403, 403},
		"operator, same site":     {local, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403, 403},
		"operator, a link":        {local, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200, 403},
		"operator, other origin":  {local, []string{"Origin", "https://evil.example"}, 403, 403},
		"operator, null origin":   {local, []string{"Origin", "null"}, 403, 403},
		"operator, other port":    {local, []string{"Origin", "http://127.0.0.1:9999"}, 403, 403},
		"operator, own origin":    {local, []string{"Origin", "http://" + here}, 200, 400},
		"keys, other origin":      {keyed, append(bearer("boss-secret"), "Origin", "https://evil.example"), 403, 403},
		"keys, a form's cross":    {keyed, append(bearer("boss-secret"), "Sec-Fetch-Site", "cross-site"), 403, 403},
		"no auth, other origin":   {free, []string{"Origin", "https://evil.example"}, 403, 403},
		"no keys, healthy anyway": {alone, []string{"Sec-Fetch-Site", "none"}, 200, 403},
	} {
		headers := append([]string{"Host", here}, tt.headers...)
		if got := ask(tt.d, http.MethodGet, readTarget, headers...).Code; got != tt.read {
			t.Errorf("%s: reading = %d, want %d", name, got, tt.read)
		}
		if got := ask(tt.d, http.MethodPost, changeTarget, headers...).Code; got != tt.change {
			t.Errorf("%s: changing = %d, want %d", name, got, tt.change)
		}
		if got := ask(tt.d, http.MethodGet, "/healthz", headers...).Code; got != 200 {
			t.Errorf("%s: /healthz = %d, want 200", name, got)
		}
	}
	challenge := ask(keyed, http.MethodGet, "/", "Host", here)
	if got := challenge.Header().Values("WWW-Authenticate"); len(got) != 2 || got[0] != `Basic realm="extractq", charset="UTF-8"` {
		t.Errorf("challenge %q, want one that makes a browser ask", got)
	}
}

// Every way to change something is refused to viewers, whatever
// the method is called.
func TestReadOnlyMethods(t *testing.T) {
	t.Parallel()
	d := open(t, Config{})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "delete"} {
		for _, target := range []string{"/", "/queues", "/queues/api/queues/acme.poll", "/queues/favicon.ico"} {
			if got := ask(d, method, target, "Host", "localhost").Code; got != http.StatusForbidden {
				t.Errorf("%s %s = %d, want %d", method, target, got, http.StatusForbidden)
			}
		}
	}
}

func TestAdmits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg  Config
		addr string
		want error
	}{
		"loopback":                   {Config{}, "127.0.0.1:1", nil},
		"loopback, operator":         {Config{Operator: true}, "[::1]:1", nil},
		"loopback, mapped":           {Config{}, "[::ffff:127.0.0.1]:1", nil},
		"all":                        {Config{}, "[::]:1", ErrExposed},
		"all, IPv4":                  {Config{}, "0.0.0.0:1", ErrExposed},
		"LAN":                        {Config{}, "192.168.0.7:1", ErrExposed},
		"all, operator":              {Config{Operator: true}, "[::]:1", ErrOperatorExposed},
		"all, keys":                  {Config{Keys: keys()}, "[::]:1", nil},
		"all, keys and operator":     {Config{Keys: keys(), Operator: true}, "[::]:1", ErrOperatorExposed},
		"all, no auth":               {Config{NoAuth: true}, "[::]:1", nil},
		"all, no auth, never change": {Config{NoAuth: true, Operator: true}, "[::]:1", nil},
	} {
		addr, err := net.ResolveTCPAddr("tcp", tt.addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.cfg.Admits(addr); got != tt.want { //nolint:errorlint // it is returned as it is
			t.Errorf("%s: Admits = %v, want %v", name, got, tt.want)
		}
	}
}

// Keys are replaced while requests come in: the old one is a stranger's from then
// on, and one that may operate may do so.
func TestReload(t *testing.T) {
	t.Parallel()
	d := open(t, Config{Keys: []Key{{Name: "viewer", Digest: httpauth.Digest("old")}}})
	status := func(method, target, key string) int {
		return ask(d, method, target, "Host", "127.0.0.1:8080", "Authorization", "Bearer "+key).Code
	}
	want := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				status(http.MethodGet, readTarget, "old")
			}
		}
	}()
	want("old key, before", status(http.MethodGet, readTarget, "old"), http.StatusOK)
	want("new key, before", status(http.MethodGet, readTarget, "new"), http.StatusUnauthorized)
	d.Reload([]Key{{Name: "boss", Digest: httpauth.Digest("new"), Operator: true}})
	want("old key, after", status(http.MethodGet, readTarget, "old"), http.StatusUnauthorized)
	want("new key, after", status(http.MethodGet, readTarget, "new"), http.StatusOK)
	want("new key changes something", status(http.MethodPost, changeTarget, "new"), http.StatusBadRequest)
	close(stop)
	<-stopped
}

// Who is not let in is logged and counted with the address and the reason, and never
// with what was sent.
func TestRefusedIsSeen(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	counts := map[string]int{}
	cfg := Config{
		Keys: keys(), Logger: slog.New(slog.NewTextHandler(&log, nil)), Refused: func(reason string, n int) { counts[reason] += n },
	}
	d := open(t, cfg)
	for _, headers := range [][]string{
		{"Authorization", "Bearer guess-1"},
		{"Authorization", "Basic YW55Ym9keTpndWVzcy0y"},
		{"Authorization", "guess-3"},
		{"Authorization", "Bearer tenant-secret"},
		{},
		{"Origin", "https://evil.example"},
	} {
		if got := ask(d, http.MethodGet, readTarget, headers...).Code; got < 401 || got > 403 {
			t.Errorf("%v: %d", headers, got)
		}
	}
	d.refusals.Close() // It says what was only counted.
	for _, want := range []string{
		`level=WARN msg="request refused" reason=unknown_key remote=192.0.2.1`, `msg="more requests refused" reason=unknown_key count=2`,
		`level=INFO msg="request refused" reason=no_key`, `msg="request refused" reason=limited_key`, `msg="request refused" reason=foreign`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s: %s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "guess") || strings.Contains(log.String(), "secret") {
		t.Errorf("the log has a key: %s", log.String())
	}
	want := map[string]int{"unknown_key": 3, "no_key": 1, "limited_key": 1, "foreign": 1}
	if !maps.Equal(counts, want) {
		t.Errorf("counted %v, want %v", counts, want)
	}
}
