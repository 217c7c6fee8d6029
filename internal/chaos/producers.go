package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// document is one that a producer submits until it is accepted.
type document struct {
	name, account, digest string
	body                  []byte

	mu sync.Mutex
	// ids are what its producer was told, each once: more than one is a violation.
	ids []string
}

func (d *document) accept(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.ids, id) {
		d.ids = append(d.ids, id)
	}
}

// producers submit a round's documents: most through the API, the others by the command.
// Each goes on until its documents are accepted, under the same idempotency keys.
type producers struct {
	site *site
	docs []*document
	http *http.Client

	mu sync.Mutex
	// wrong are answers that no producer should get.
	wrong []string
}

const (
	// posting is how many documents go through the API at once.
	posting = 8
	// group is how many documents one submit command has; one group in groups goes that way.
	group  = 10
	groups = 5
	// stubborn is how much longer than submitting takes a producer tries.
	stubborn = 3 * time.Minute
)

func newProducers(s *site, n int) *producers {
	p := &producers{site: s, http: &http.Client{Timeout: requestTimeout}}
	for i := range n {
		rng := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(s.Seed), byte(s.Seed >> 8), byte(s.Seed >> 16)})
		body := make([]byte, 1000+rng.Uint64()%60_000)
		_, _ = rng.Read(body) // It always fills it.
		copy(body, "\x89PNG\r\n\x1a\n")
		sum := sha256.Sum256(body)
		account := sensibleAccount
		if i/group%2 == 1 {
			account = typlessAccount
		}
		p.docs = append(p.docs, &document{name: fmt.Sprintf("%04d.png", i), account: account, digest: hex.EncodeToString(sum[:]), body: body})
	}
	return p
}

// submit is back when every document is accepted.
func (p *producers) submit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stubborn+p.site.submitting())
	defer cancel()
	var running sync.WaitGroup
	todo := make(chan *document)
	for range posting {
		running.Go(func() {
			for d := range todo {
				p.post(ctx, d)
			}
		})
	}
	n := 0
	for docs := range slices.Chunk(p.docs, group) {
		if n++; n%groups == 0 {
			running.Go(func() { p.command(ctx, n, docs) })
			_ = pause(ctx, time.Second*group/pace)
			continue
		}
		for _, d := range docs {
			todo <- d
			_ = pause(ctx, time.Second/pace)
		}
	}
	close(todo)
	running.Wait()
}

// complain notes an answer that no producer should get.
func (p *producers) complain(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

// post sends a document to the API until it is accepted.
func (p *producers) post(ctx context.Context, d *document) {
	for ctx.Err() == nil {
		again, err := p.try(ctx, d)
		if err == nil {
			return
		}
		p.site.log.InfoContext(ctx, "not accepted", slog.String("document", d.name), slog.Any("error", err))
		_ = pause(ctx, again+rand.N(200*time.Millisecond))
	}
}

// try sends a document once; an error comes with the time after which it may be sent again.
func (p *producers) try(ctx context.Context, d *document) (again time.Duration, err error) {
	q := url.Values{
		"account": {d.account}, "type": {"tax_forms"}, "batch": {"chaos"}, "name": {d.name},
		"callback_url": {p.site.receiver.server.URL},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.site.api+"/v1/extractions?"+q.Encode(), bytes.NewReader(d.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "image/png")
	req.Header.Set("Idempotency-Key", d.name)
	res, err := p.http.Do(req)
	if err != nil {
		return 50 * time.Millisecond, errors.New("no answer")
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 50 * time.Millisecond, errors.New("half an answer")
	}
	switch res.StatusCode {
	case http.StatusAccepted, http.StatusOK:
		var e struct{ ID string }
		if err := json.Unmarshal(body, &e); err != nil || e.ID == "" {
			p.complain("%s: %s without an id: %s", d.name, res.Status, body)
			return time.Second, errors.New("no id")
		}
		d.accept(e.ID)
		return 0, nil
	case http.StatusConflict, http.StatusServiceUnavailable, http.StatusTooManyRequests:
		seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if err != nil {
			p.complain("%s: %s without Retry-After: %s", d.name, res.Status, body)
		}
		return time.Duration(min(seconds, 2)) * time.Second, errors.New(res.Status)
	}
	p.complain("%s: %s: %s", d.name, res.Status, body)
	return time.Second, errors.New(res.Status)
}

// command submits documents by the command until it says that all are accepted. The first
// time it is killed in one case of two.
func (p *producers) command(ctx context.Context, n int, docs []*document) {
	dir := p.site.path(fmt.Sprintf("inbox-%d", n))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.complain("%v", err)
		return
	}
	args := p.site.shared("submit", "--account", docs[0].account, "--type", "tax_forms", "--batch", "chaos",
		"--callback-url", p.site.receiver.server.URL, "--idempotency-key", dir)
	for _, d := range docs {
		file := filepath.Join(dir, d.name)
		if err := os.WriteFile(file, d.body, 0o600); err != nil {
			p.complain("%v", err)
			return
		}
		args = append(args, file)
	}
	for try := 0; ctx.Err() == nil; try++ {
		limit := stubborn
		if try == 0 && n%2 == 0 {
			limit = time.Duration(p.site.Seed%10*100) * time.Millisecond
		}
		code, ids, said := p.once(ctx, limit, args)
		for i, id := range ids {
			docs[min(i, len(docs)-1)].accept(id)
		}
		p.site.log.InfoContext(ctx, "submitted", slog.Int("group", n), slog.Int("exit_code", code), slog.Int("ids", len(ids)), slog.String("stderr", said))
		switch {
		case code == 0:
			if len(ids) != len(docs) {
				p.complain("submit of %d documents prints %d ids", len(docs), len(ids))
			}
			return
		case refuses(code, said):
			p.site.refuse()
		case code == 3, code == -1: // Something is away, or it was killed.
		default:
			p.complain("submit ends with exit code %d: %s", code, said)
		}
		_ = pause(ctx, time.Second)
	}
}

// refuses reports that a process did not start because what it found is not the document
// store of the others: that one has vanished.
func refuses(code int, said string) bool {
	return code == 2 && strings.Contains(said, "is not the document store that the others use")
}

// once runs a command; a code of -1 means that it was killed. Of what it printed only whole
// lines count.
func (p *producers) once(ctx context.Context, limit time.Duration, args []string) (code int, ids []string, said string) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := p.site.command(ctx, p.site.Binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // The exit code says it.
	all := strings.Split(stdout.String(), "\n")
	return cmd.ProcessState.ExitCode(), all[:len(all)-1], stderr.String()
}

// accepted is how many documents are.
func (p *producers) accepted() int {
	n := 0
	for _, d := range p.docs {
		d.mu.Lock()
		n += min(len(d.ids), 1)
		d.mu.Unlock()
	}
	return n
}
