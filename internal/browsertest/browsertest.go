// Package browsertest opens pages in a real browser, which may reach only the server
// under test, and records everything that was wrong with them.
package browsertest

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
const patience = 3 * time.Minute

// Browser is a Chromium that remembers everything that was wrong.
type Browser struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // chromedp's handle of the tab
	host string

	mu    sync.Mutex
	wrong []string
	asked int
}

// Name is this machine's name for browsers, where a page must not see that it is on a
// loopback address.
const Name = "extractq.example"

// New starts a Chromium that may reach only the host, until the test ends. password
// answers its question for one. Where there is no Chromium, the
// test fails if CI is true and is skipped otherwise.
func New(t *testing.T, base, password string) *Browser {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{t: t, host: u.Host}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findChromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 800),
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		// What it wants for itself is not the pages' doing, and goes nowhere.
		chromedp.Flag("host-resolver-rules", "MAP "+Name+" 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
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
func (b *Browser) listen(event any, password string) {
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

func (b *Browser) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, what)
}

// WantNothingWrong fails the test for what was noted so far.
func (b *Browser) WantNothingWrong(where string) {
	b.t.Helper()
	// Events come in order, and before this answer.
	_ = Eval[int](b, `1`)
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

// Forget drops what was noted so far.
func (b *Browser) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = nil
}

// Do does something in the tab and returns its value.
func Do[T any](b *Browser, action chromedp.Action[T]) T {
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

// Open opens a page and waits until it shows all the texts.
func (b *Browser) Open(path string, texts ...string) {
	b.t.Helper()
	Do(b, chromedp.Navigate("http://"+b.host+path))
	b.Shows(texts...)
}

// Shows waits until the page shows all the texts.
func (b *Browser) Shows(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		b.Until(`(text) => document.body && document.body.innerText.includes(text)`, text)
	}
}

// Click waits for an element, and clicks it by its own means.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.Until(`(selector) => { const e = document.querySelector(selector); e && e.click(); return !!e }`, selector)
}

// Until waits until a function of the page returns what is true.
func (b *Browser) Until(function string, args ...any) {
	b.t.Helper()
	Do(b, chromedp.PollFunction[chromedp.Void](function, chromedp.WithPollingArgs(args...),
		chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience/2)))
}

// Eval is the value of an expression in the page, which may be a promise.
func Eval[T any](b *Browser, expression string) T {
	b.t.Helper()
	return Do(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}
