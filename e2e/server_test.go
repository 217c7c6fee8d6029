package e2e

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/extractq/extractq/internal/fixtures"
)

const operatorKey = "k-Operator5Vq8Zt"

// overAPI is a site whose services work behind an API, and ways to use them.
type overAPI struct {
	*site

	url string
	api *process
}

// newOverAPI is a site with a Redis and an API; working has workers, too.
func newOverAPI(t *testing.T, cfg siteConfig, working bool) *overAPI {
	t.Helper()
	s := newSite(t, cfg)
	s.write("extractq.yaml", s.read("extractq.yaml")+`callbacks: {secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", allow_hosts: ["127.0.0.1"]}
api:
  keys:
    operator: {secret: "`+operatorKey+`", operator: true}
    blue: {secret: "k-blue", customer: blue}
`)
	s.durable()
	if working {
		s.worker()
	}
	o := &overAPI{site: s}
	o.api = s.start(s.shared("api", "--listen", "127.0.0.1:0")...)
	o.url = o.api.saysAPI()
	return o
}

// remote is a command line from a machine with the server's URL and its operator's key, and with
// nothing else.
func (o *overAPI) remote(args ...string) *exec.Cmd {
	cmd := o.command(append([]string{"--server", o.url, "--config", o.write("none.yaml", "")}, args...)...)
	cmd.Env = append(cmd.Env, "EXTRACTQ_API_KEY="+operatorKey)
	return cmd
}

// both runs a command line over Redis and over the API.
func (o *overAPI) both(t *testing.T, args ...string) (redis, api result) {
	t.Helper()
	return launch(t, o.command(o.shared(args...)...)).wait(), launch(t, o.remote(args...)).wait()
}

// TestServerShowsTheSame runs the command lines that change nothing over Redis and
// over the API: they print the same and end the same.
func TestServerShowsTheSame(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(0), true)
	form := o.write("in/1040.pdf", string(fixtures.TaxForm(1)))
	ids := o.submit(sensibleAccount, "--batch", "monday", "--customer", "blue", "--metadata", "po=<4711>", form)
	eventually(t, "the first is final", func() bool { return o.status(ids[0])["finished_at"] != nil })
	o.vendor.on(opOpen, first(2), func(x *exchange) { x.refuse(400, `{"error":"no <b>"}`) })
	ids = append(ids, o.submit(typlessAccount, "--type", "invoices", form)...)
	failed := o.submit(sensibleAccount, "--batch", "tuesday", form)[0]
	ids = append(ids, failed)
	for _, id := range ids {
		eventually(t, id+" is final", func() bool { return o.status(id)["finished_at"] != nil })
	}
	const unknown = "01JD0Z3M9V7Q8W2R5T6Y4X1C0B"
	for _, tc := range []struct {
		code int
		args []string
	}{
		{0, []string{"status", ids[0]}},
		{0, []string{"status", failed}},
		{1, []string{"status", unknown}},
		{1, []string{"status", "../../v1/accounts"}},
		{2, []string{"status"}},
		{0, []string{"result", ids[0]}},
		{0, []string{"result", ids[1]}},
		{1, []string{"result", unknown}},
		{0, []string{"list"}},
		{0, []string{"list", "--format", "table"}},
		{0, []string{"list", "--format", "json", "--limit", "2"}},
		{0, []string{"list", "--format", "csv", "--status", "error", "--status", "SUCCESS"}},
		{0, []string{"list", "--account", typlessAccount, "--json"}},
		{0, []string{"list", "--customer", "blue", "--since", "24h", "--type", "tax_forms"}},
		{0, []string{"list", "--until", "24h"}},
		{0, []string{"list", "--error", "vendor_rejected"}},
		{2, []string{"list", "--account", "nobody"}},
		{2, []string{"list", "--status", "odd"}},
		{0, []string{"accounts", "--format", "table"}},
		{0, []string{"accounts", sensibleAccount, "--json"}},
		{2, []string{"accounts", "nobody"}},
		{0, []string{"watch", ids[0], ids[1]}},
		{0, []string{"watch", "--batch", "monday", "--format", "csv"}},
		{1, []string{"watch", unknown}},
		{1, []string{"watch", "--batch", "nobody"}},
		{2, []string{"watch"}},
		{1, []string{"cancel", ids[0], unknown}},
		{0, []string{"cancel", "--batch", "monday", "--dry-run"}},
		{2, []string{"cancel", "--batch", "monday"}},
		{0, []string{"cancel", "--batch", "nobody", "--yes"}},
		{1, []string{"retry", ids[0]}},
		{0, []string{"retry", failed, "--dry-run"}},
		{0, []string{"retry", "--status", "ERROR", "--status", "SUCCESS", "--dry-run", "--json"}},
		{1, []string{"delete", unknown}},
		{0, []string{"delete", "--customer", "blue", "--dry-run"}},
		{1, []string{"redeliver", ids[0]}},
		{2, []string{"submit", form}},
		{2, []string{"submit", "--type", "t", form}},
		{2, []string{"submit", "--account", "nobody", "--type", "t", form}},
		{2, []string{"submit", "--account", typlessAccount, "--type", "t", "--option", "odd=1", form}},
		{2, []string{"submit", "--account", typlessAccount, "--type", "t", "--customer", "\x01", form}},
		{2, []string{"submit", "--account", typlessAccount, "--type", "t", o.path("none.pdf")}},
		{2, []string{"adopt", "--account", typlessAccount, "--type", "t"}},
		{1, []string{"adopt", "--account", typlessAccount, "--type", "t", "a b"}},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			redis, api := o.both(t, tc.args...)
			if redis.code != tc.code || api.code != tc.code {
				t.Errorf("exit codes %d over Redis and %d over the API, want %d", redis.code, api.code, tc.code)
			}
			if a, b := unordered(tc.args, redis.stdout), unordered(tc.args, api.stdout); a != b {
				t.Errorf("over Redis:\n%s\nover the API:\n%s", a, b)
			}
			if took.ReplaceAllString(redis.stderr, "") != took.ReplaceAllString(api.stderr, "") {
				t.Errorf("over Redis it says:\n%s\nover the API:\n%s", redis.stderr, api.stderr)
			}
		})
	}
}

// took is how long something has taken, which differs.
var took = regexp.MustCompile(`, in [0-9.]+m?s|extractq: (no|a) worker has [^\n]*\n`)

// used is the rate in use and the age of a row, which change from call to call.
var used = regexp.MustCompile(`"rate_used":[0-9.e-]+|[0-9.]+/s|\b[0-9]+[smhd]\b +`)

// unordered is what was printed, for commands that print in the order of events in
// some order, and without what changes from call to call.
func unordered(args []string, text string) string {
	text = used.ReplaceAllString(text, "CHANGES ")
	if args[0] != "watch" {
		return text
	}
	all := lines(text)
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// TestServerChangesTheSame runs the command lines that change something over Redis
// and over the API, each for documents of its own.
func TestServerChangesTheSame(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(0), false)
	o.write("in/a/1040.pdf", string(fixtures.TaxForm(1)))
	o.write("in/b.pdf", string(fixtures.TaxForm(2)))
	o.write("in/empty.pdf", "")
	o.write("list.txt", "# documents\n"+o.path("in/b.pdf")+"\n"+o.path("in/none.pdf")+"\n")
	o.write("ids.txt", "one-of-theirs\nanother-of-theirs\none-of-theirs\n")
	in := []string{"--account", typlessAccount, "--type", "invoices"}
	for _, tc := range []struct {
		name  string
		code  int
		lines int // On stdout.
		args  []string
	}{
		{"a directory", 1, 2, append([]string{"submit", "--json", "--batch", "BATCH", o.path("in")}, in...)},
		{"the same again", 1, 2, append([]string{"submit", "--json", "--batch", "BATCH", o.path("in")}, in...)},
		{"a pattern", 0, 2, append([]string{"submit", "--json", "--batch", "BATCH", o.path("in") + "/**/[1b]*.pdf"}, in...)},
		{"a list", 1, 1, append([]string{"submit", "--json", "--metadata", "k=v w", "@" + o.path("list.txt")}, in...)},
		{"a callback", 0, 1, append([]string{"submit", "--json", "--callback-url", "https://127.0.0.1/hook", o.path("in/b.pdf")}, in...)},
		{"a callback that is internal", 2, 0, append([]string{"submit", "--callback-url", "http://10.0.0.1/hook", o.path("in/b.pdf")}, in...)},
		{"an odd id of the vendor's", 1, 0, append([]string{"adopt", "a b"}, in...)},
		{"ids of the vendor's", 0, 3, append([]string{"adopt", "--json", "--batch", "BATCH", "@" + o.path("ids.txt")}, in...)},
		{"a page", 2, 0, append([]string{"submit", "--name", "x.pdf", o.write("page.pdf", "<html><p>no PDF</p></html>")}, in...)},
		{"waits too long", 4, 0, append([]string{"submit", "--wait", "--timeout", "300ms", o.path("in/b.pdf")}, in...)},
		{"cancel", 0, 8, []string{"cancel", "--batch", "BATCH", "--yes", "--json"}},
		{"cancel again", 0, 0, []string{"cancel", "--batch", "BATCH", "--yes"}},
		// Of the vendor's two, which were adopted, there is no document to submit again.
		{"retry", 0, 6, []string{"retry", "--batch", "BATCH", "--status", "CANCELED", "--yes", "--json"}},
		{"retry again", 0, 0, []string{"retry", "--batch", "BATCH", "--status", "CANCELED", "--yes"}},
		{"delete", 0, 14, []string{"delete", "--batch", "BATCH", "--yes", "--json"}},
		{"delete again", 0, 0, []string{"delete", "--batch", "BATCH", "--yes"}},
		{"pause", 0, 1, []string{"accounts", "pause", typlessAccount, "--json"}},
		{"resume", 0, 1, []string{"accounts", "resume", typlessAccount, "--json"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			place := func(batch string) []string {
				args := slices.Clone(tc.args)
				for i := range args {
					args[i] = strings.Replace(args[i], "BATCH", batch, 1)
					args[i] = strings.Replace(args[i], o.path("ids.txt"), o.path(batch+".txt"), 1)
				}
				return args
			}
			for _, batch := range []string{"red", "api"} {
				o.write(batch+".txt", strings.ReplaceAll(o.read("ids.txt"), "theirs", batch))
			}
			redis := launch(t, o.command(o.shared(place("red")...)...)).wait()
			api := launch(t, o.remote(place("api")...)).wait()
			if redis.code != tc.code || api.code != tc.code || len(lines(redis.stdout)) != tc.lines {
				t.Errorf("exit codes %d over Redis and %d over the API, want %d; %d lines, want %d",
					redis.code, api.code, tc.code, len(lines(redis.stdout)), tc.lines)
			}
			if a, b := anonymous(redis.stdout, "red"), anonymous(api.stdout, "api"); a != b {
				t.Errorf("over Redis:\n%s\nover the API:\n%s", a, b)
			}
			if a, b := took.ReplaceAllString(anonymous(redis.stderr, "red"), ""), took.ReplaceAllString(anonymous(api.stderr, "api"), ""); a != b {
				t.Errorf("over Redis it says:\n%s\nover the API:\n%s", a, b)
			}
		})
	}
}

var (
	someID   = regexp.MustCompile(`01[0-9A-HJKMNP-TV-Z]{24}`)
	someTime = regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.]+Z`)
)

// anonymous is what was printed with numbers in place of ids and no times.
func anonymous(text, batch string) string {
	known := map[string]string{}
	text = someID.ReplaceAllStringFunc(text, func(id string) string {
		known[id] = cmp.Or(known[id], fmt.Sprintf("ID%d", len(known)))
		return known[id]
	})
	text = someTime.ReplaceAllString(used.ReplaceAllString(text, "CHANGES "), "TIME")
	return strings.ReplaceAll(text, batch, "BATCH")
}

// TestServerWaits submits over the API, while the results come.
func TestServerWaits(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(0), true)
	docs := o.documents("inbox", 20)
	r := launch(t, o.remote(append([]string{
		"submit", "--account", sensibleAccount, "--type", "tax_forms", "--batch", "b", "--wait", "--format", "ndjson",
	}, paths(docs)...)...)).wait().want(t, 0)
	if n := len(lines(r.stdout)); n != 20 {
		t.Errorf("%d results, want 20", n)
	}
	for _, line := range lines(r.stdout) {
		wantShape(t, "whole", parse(t, line))
	}
	if r := launch(t, o.remote("watch", "--batch", "b")).wait().want(t, 0); len(lines(r.stdout)) != 20 {
		t.Errorf("watch printed %d, want 20", len(lines(r.stdout)))
	}
	o.vendor.wantOnce(t, docs)
}

// TestServerSaysWhatIsWrong has wrong keys, servers that are none, and flags that
// exclude each other.
func TestServerSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(0), false)
	form := o.write("1040.pdf", string(fixtures.TaxForm(1)))
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<h1>Welcome to secret-page</h1>")
	}))
	t.Cleanup(page.Close)
	const none = "http://127.0.0.1:1"
	submit := []string{"submit", "--account", sensibleAccount, "--type", "t", form}
	for _, tc := range []struct {
		name, server, key string
		args              []string
		code              int
		says              string
	}{
		{"a wrong key", o.url, "k-wrong", []string{"list"}, 2, "EXTRACTQ_API_KEY"},
		{"no key", o.url, "", submit, 2, "EXTRACTQ_API_KEY"},
		{"a key with a line feed", o.url, "a\nb", []string{"list"}, 2, "EXTRACTQ_API_KEY"},
		{"no operator", o.url, "k-blue", []string{"accounts", "pause", sensibleAccount}, 2, "EXTRACTQ_API_KEY"},
		{"another customer", o.url, "k-blue", append(slices.Clone(submit), "--customer", "red"), 2, "another customer"},
		{"a URL that is internal", o.url, operatorKey, append(slices.Clone(submit[:5]), "http://127.0.0.1/x.pdf"), 1, "fetch.allow_hosts"},
		{"no server", none, operatorKey, submit, 3, "refused"},
		{"no server to list", none, operatorKey, []string{"list"}, 3, "EXTRACTQ_SERVER"},
		{"a page", page.URL, operatorKey, []string{"status", "x"}, 3, "text/html"},
		{"a page to submit to", page.URL, operatorKey, submit, 3, "text/html"},
		{"no URL", "127.0.0.1:8080", operatorKey, []string{"list"}, 2, "--server"},
		{"a password", "http://u:secret-page@127.0.0.1", operatorKey, []string{"list"}, 2, "--server"},
		{"also a Redis", o.url, operatorKey, []string{"list", "--redis", "redis://127.0.0.1:1/0"}, 2, "--redis"},
		{"run", o.url, operatorKey, append([]string{"run"}, submit[1:]...), 2, "run works with Redis"},
		{"worker", o.url, operatorKey, []string{"worker"}, 2, "worker works with Redis"},
		{"doctor", o.url, operatorKey, []string{"doctor"}, 2, "doctor works with Redis"},
		{"sandbox", o.url, operatorKey, []string{"sandbox"}, 2, "leave out --server"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cmd := o.command(append([]string{"--server", tc.server}, tc.args...)...)
			cmd.Env = append(cmd.Env, "EXTRACTQ_API_KEY="+tc.key)
			r := launch(t, cmd).wait().want(t, tc.code)
			if !strings.Contains(r.stderr, tc.says) || strings.Contains(r.stderr, "secret-page") {
				t.Errorf("it says %q, want something with %q", r.stderr, tc.says)
			}
			if tc.key != "" && strings.Contains(r.stderr, tc.key) {
				t.Errorf("it shows the key: %q", r.stderr)
			}
		})
	}
}

// TestServerFromTheEnvironment has both variables, and flags against them.
func TestServerFromTheEnvironment(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(0), false)
	dead := "redis://127.0.0.1:1/0"
	run := func(server, redis string, args ...string) result {
		cmd := o.command(args...)
		cmd.Env = append(cmd.Env, "EXTRACTQ_API_KEY="+operatorKey, "EXTRACTQ_SERVER="+server, "EXTRACTQ_REDIS_URL="+redis)
		return launch(t, cmd).wait()
	}
	run(o.url, "", "list").want(t, 0)
	run(o.url, dead, "list").want(t, 0)
	run("http://127.0.0.1:1", dead, "list", "--server", o.url).want(t, 0)
	run("http://127.0.0.1:1", dead, "list", "--redis", o.redis.URL).want(t, 0)
	run("http://127.0.0.1:1", "", "sandbox", "--help").want(t, 0)
	form := o.write("1040.pdf", string(fixtures.TaxForm(1)))
	run("http://127.0.0.1:1", "", "run", "--account", sensibleAccount, "--type", "tax_forms", form).want(t, 0)
}

// TestServerBehindAProxy submits through a proxy that takes less than the API: what it
// refuses is that document's trouble, and the others are submitted. A proxy that refuses
// everything ends the command.
func TestServerBehindAProxy(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(0), false)
	target, err := url.Parse(o.url)
	if err != nil {
		t.Fatal(err)
	}
	var status atomic.Int64 // What it answers where it refuses.
	var shuts, shut atomic.Bool
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shuts.Load() && r.Method == http.MethodPost { // From the first submission on.
			shut.Store(true)
		}
		if r.ContentLength <= 1<<20 && !shut.Load() {
			forward.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(int(status.Load()))
		_, _ = fmt.Fprint(w, "<h1>secret-page</h1>")
	}))
	t.Cleanup(proxy.Close)
	form := string(fixtures.TaxForm(1))
	o.write("in/0big.pdf", form+strings.Repeat("%", 2<<20))
	o.write("in/a.pdf", form)
	o.write("in/b.pdf", form+"%")
	submit := func() *exec.Cmd {
		cmd := o.command("--server", proxy.URL, "submit", "--account", sensibleAccount, "--type", "tax_forms", o.path("in"))
		cmd.Env = append(cmd.Env, "EXTRACTQ_API_KEY="+operatorKey)
		return cmd
	}
	for code, says := range map[int64]string{
		413: "0big.pdf: document_too_large", 403: "0big.pdf: unsupported_document", 415: "answers 415 Unsupported Media Type",
		414: "0big.pdf", 431: "0big.pdf",
	} {
		status.Store(code)
		r := launch(t, submit()).wait().want(t, 1)
		if len(lines(r.stdout)) != 2 || !strings.Contains(r.stderr, says) || strings.Contains(r.stderr, "secret-page") {
			t.Errorf("a proxy that refuses it with %d: printed %q, said %q; want two ids, and %q", code, r.stdout, r.stderr, says)
		}
		if code == 413 && !strings.Contains(r.stderr, "client_max_body_size") {
			t.Errorf("it does not say what to raise: %q", r.stderr)
		}
	}
	shuts.Store(true)
	for _, code := range []int64{http.StatusForbidden, http.StatusUnsupportedMediaType, http.StatusBadRequest} {
		status.Store(code)
		shut.Store(false)
		if r := launch(t, submit()).wait().want(t, 3); r.stdout != "" || !strings.Contains(r.stderr, "EXTRACTQ_SERVER") {
			t.Errorf("a proxy that shuts with %d: printed %q, said %q", code, r.stdout, r.stderr)
		}
	}
}

// TestServerGoesAway ends the API in the middle: a short absence is waited out, one
// that lasts ends the command with 3, and nothing is submitted twice.
func TestServerGoesAway(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(0), false)
	target, err := url.Parse(o.url)
	if err != nil {
		t.Fatal(err)
	}
	// A proxy whose connections break as often as it is told.
	var broken, lost atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		submits := r.Method == http.MethodPost
		if submits && broken.Add(-1) >= 0 {
			panic(http.ErrAbortHandler)
		}
		if submits && lost.Add(-1) >= 0 { // It arrives, and the answer is lost.
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	broken.Store(2)
	lost.Store(2)
	docs := o.documents("inbox", 3)
	args := append([]string{"--server", proxy.URL, "submit", "--account", sensibleAccount, "--type", "tax_forms"}, paths(docs)...)
	cmd := o.command(args...)
	cmd.Env = append(cmd.Env, "EXTRACTQ_API_KEY="+operatorKey)
	ids := lines(launch(t, cmd).wait().want(t, 0).stdout)
	wantIDs(t, "what was submitted", reversed(ids), o.listed())

	watch := launch(t, o.remote("watch", ids[0]))
	submitting := o.remote(append([]string{"submit", "--account", sensibleAccount, "--type", "t", "--wait"}, docs[0].path)...)
	waiting := launch(t, submitting)
	eventually(t, "the one that waits is accepted", func() bool { return len(o.listed()) == 4 })
	o.api.kill()
	for _, p := range []*process{watch, waiting} {
		if r := p.wait().want(t, 3); !strings.Contains(r.stderr, "EXTRACTQ_SERVER") {
			t.Errorf("it says %q", r.stderr)
		}
	}
}
