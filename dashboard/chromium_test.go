package dashboard

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is for a browser on a machine that runs many tests.
const patience = 90 * time.Second

// browser is a Chromium that remembers everything that was wrong.
type browser struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // chromedp's handle of the tab
	host string

	mu    sync.Mutex
	wrong []string
	asked int
}

// newBrowser starts a Chromium that may ask nobody but the host, until the test
// ends. password answers it when it asks for one. Where there is no Chromium, the
// test fails if CI is true and is skipped otherwise.
func newBrowser(t *testing.T, base, password string) *browser {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, host: u.Host}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findChromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 800),
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		// What it wants for itself is not the pages' doing, and goes nowhere.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
	)...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocator, chromedp.WithListener(func(event any) { b.listen(event, password) }))
	t.Cleanup(func() {
		_ = chromedp.Cancel(tab) // It waits until the process is gone.
		cancel()
	})
	b.ctx = tab
	intercept := true
	// The browser lives as long as the first context, which therefore has no
	// timeout.
	if _, err := chromedp.Call(tab, fetch.Enable, fetch.EnableParams{HandleAuthRequests: &intercept}); err != nil {
		t.Fatal(err)
	}
	return b
}

// findChromium is the path of the browser.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const fix = "no Chromium on the PATH: apt-get install chromium"
	if os.Getenv("CI") == "true" {
		t.Fatal(fix)
	}
	t.Skip(fix)
	return ""
}

// listen notes what is wrong, and answers what the browser asks. It must not
// wait, so answers come from goroutines, which end with the browser.
func (b *browser) listen(event any, password string) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.mu.Lock()
		b.asked++
		b.mu.Unlock()
		if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "data" && u.Host != b.host {
			b.note("asks " + e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		b.note(fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if !slices.Contains([]string{"error", "warning", "assert"}, string(e.Type)) {
			return
		}
		var words []string
		for _, arg := range e.Args {
			words = append(words, string(arg.Value)+arg.Description)
		}
		b.note(fmt.Sprintf("console %s: %s", e.Type, strings.Join(words, " ")))
	case *cdplog.EventEntryAdded: // Refused by the policy, not found, and the like.
		if slices.Contains([]string{"error", "warning"}, string(e.Entry.Level)) {
			b.note(fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	case *fetch.EventRequestPaused:
		go func() {
			_, _ = chromedp.Call(b.ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
		}()
	case *fetch.EventAuthRequired:
		answer := &fetch.AuthChallengeResponse{Response: "CancelAuth"}
		if password != "" {
			answer = &fetch.AuthChallengeResponse{Response: "ProvideCredentials", Username: "anybody", Password: password}
		}
		go func() {
			_, _ = chromedp.Call(b.ctx, fetch.ContinueWithAuth, fetch.ContinueWithAuthParams{
				RequestID: e.RequestID, AuthChallengeResponse: answer,
			})
		}()
	}
}

func (b *browser) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, what)
}

// wantNothingWrong fails the test for what was noted so far.
func (b *browser) wantNothingWrong(where string) {
	b.t.Helper()
	// Events come in order, and before this answer.
	_ = eval[int](b, `1`)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, what := range b.wrong {
		b.t.Errorf("%s: %s", where, what)
	}
	b.wrong = nil
	if b.asked == 0 {
		b.t.Errorf("%s: no request was seen", where)
	}
}

// forget drops what was noted so far.
func (b *browser) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = nil
}

// do does something in the tab and returns its value.
func do[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	out, err := chromedp.Run(ctx, action)
	if err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.t.Fatalf("browser: %v; wrong so far: %q; the page says:\n%s", err, b.wrong, text)
	}
	return out
}

// open opens a page and waits until it shows all the texts.
func (b *browser) open(path string, texts ...string) {
	b.t.Helper()
	do(b, chromedp.Navigate("http://"+b.host+path))
	for _, text := range texts {
		do(b, chromedp.PollFunction[chromedp.Void](`(text) => document.body && document.body.innerText.includes(text)`,
			chromedp.WithPollingArgs(text), chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience/2)))
	}
}

// eval is the value of an expression in the page, which may be a promise.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	return do(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}
