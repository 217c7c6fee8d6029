package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/sandbox"
)

// A Redis that goes back in time forgets what it was told last: what it had acknowledged is
// gone, as after a failover to a replica that lags, a power cut, or an older backup.

// rewind is one way of going back.
type rewind struct {
	name string
	lag  time.Duration
	// prepare gives the site its Redis. It returns what keeps a moment, and that returns
	// what goes back to it.
	prepare func(s *site) (keep func() (back func()))
}

func rewinds() []rewind {
	return []rewind{
		{"failover", 2 * time.Second, failsOver},
		{"power cut", time.Second, losesPower},
		{"older snapshot", 4 * time.Second, loadsSnapshot},
	}
}

// failsOver is a replica that gets nothing any more, and later takes the master's place.
func failsOver(s *site) func() func() {
	port := freePort(s.t)
	master := redistest.Start(s.t, append(redistest.Durable(), "--port", port, "--bind", "127.0.0.1")...)
	replica := redistest.Start(s.t, append(redistest.Durable(), "--replicaof", "127.0.0.1", port)...)
	relay := redistest.NewRelay(s.t, master)
	master.URL, replica.URL = relay.URL, relay.URL
	s.redis = master
	rdb := replica.Client()
	eventually(s.t, "the replica follows", func() bool {
		return strings.Contains(rdb.Info(s.t.Context(), "replication").Val(), "master_link_status:up")
	})
	return func() func() {
		if err := rdb.ReplicaOf(s.t.Context(), "NO", "ONE").Err(); err != nil {
			s.t.Fatal(err)
		}
		return func() {
			relay.Lead(replica)
			master.Kill()
			s.redis = replica
		}
	}
}

// losesPower is a server whose file has on the disk what it had a moment ago: SIGKILL alone
// loses nothing that was written.
func losesPower(s *site) func() func() {
	s.redis = redistest.Start(s.t, "--appendonly", "yes", "--appendfsync", "everysec")
	dir, kept := s.redis.Dir+"/appendonlydir", s.path("appendonlydir")
	return func() func() {
		if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
			s.t.Fatal(err)
		}
		return func() {
			s.redis.Kill()
			if err := os.RemoveAll(dir); err != nil {
				s.t.Fatal(err)
			}
			if err := os.CopyFS(dir, os.DirFS(kept)); err != nil {
				s.t.Fatal(err)
			}
			s.redis.Restart()
		}
	}
}

// loadsSnapshot is a server that is restored from its latest dump.
func loadsSnapshot(s *site) func() func() {
	s.redis = redistest.Start(s.t)
	rdb := s.redis.Client()
	return func() func() {
		if err := rdb.Save(s.t.Context()).Err(); err != nil {
			s.t.Fatal(err)
		}
		return s.redis.Restart
	}
}

// TestRedisGoesBack lets Redis go back in time under producers that post documents and a
// worker that submits them. Nothing is paid for twice; what is lost is named, and recovered;
// and every document that a producer has an id of comes to its end.
//
// EXTRACTQ_REWIND_DOCUMENTS makes it as large as it should be: make rewind.
func TestRedisGoesBack(t *testing.T) {
	n, seeds := 24, []uint64{rand.Uint64()}
	if text := os.Getenv("EXTRACTQ_REWIND_DOCUMENTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{1, 2, 3}
	}
	bothDialects(t, func(t *testing.T, d dialect) {
		for _, how := range rewinds() {
			for _, seed := range seeds {
				t.Run(fmt.Sprintf("%s, seed %d", how.name, seed), func(t *testing.T) {
					t.Parallel()
					carryBack(t, d, how, n, rand.New(rand.NewPCG(seed, 0)))
				})
			}
		}
	})
}

// posts are producers and their documents.
type posts struct {
	*site
	d    dialect
	url  string
	docs []document

	accepted atomic.Int64
	mu       sync.Mutex
	ids      []string
	failed   int
}

// postingTakes is about how long the documents take to be posted.
const postingTakes = 8 * time.Second

func carryBack(t *testing.T, d dialect, how rewind, n int, r *rand.Rand) {
	s := newSite(t, siteConfig{sandbox: sandbox.Config{ProcessingTime: sandbox.Fixed(time.Second + time.Duration(r.IntN(2000))*time.Millisecond)}})
	keep := how.prepare(s)
	p := &posts{site: s, d: d, docs: s.documents("inbox", n), ids: make([]string, n)}
	w := s.worker()
	p.url = s.start(s.shared("api", "--listen", "127.0.0.1:0")...).saysAPI() + "/v1/extractions"

	const producers = 6
	var posting sync.WaitGroup
	todo := make(chan int, n)
	for i := range n {
		todo <- i
	}
	close(todo)
	for range producers {
		pause := rand.New(rand.NewPCG(r.Uint64(), 0))
		posting.Go(func() {
			for i := range todo {
				p.post(t.Context(), i)
				time.Sleep(time.Duration(pause.Int64N(int64(2 * producers * postingTakes / time.Duration(n)))))
			}
		})
	}
	some := int64(n/8 + r.IntN(n/4))
	eventually(t, "some are accepted", func() bool { return p.accepted.Load() >= some })
	back := keep()
	kept := time.Now()
	eventually(t, "time has passed", func() bool { return time.Since(kept) > how.lag })
	back()
	posting.Wait()
	p.settle(w)
}

// post hands in a document until it is accepted.
func (p *posts) post(ctx context.Context, i int) {
	for ctx.Err() == nil {
		id, status := p.try(ctx, i)
		p.mu.Lock()
		if status/100 == 2 {
			p.ids[i] = id
			p.mu.Unlock()
			p.accepted.Add(1)
			return
		}
		p.failed++
		p.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
}

// try posts a document once, under its own idempotency key.
func (p *posts) try(ctx context.Context, i int) (id string, status int) {
	url := p.url + "?type=tax_forms&account=" + p.d.account
	body, err := os.ReadFile(p.docs[i].path)
	if err != nil {
		return "", 0
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return "", 0
	}
	req.Header.Set("Content-Type", "application/pdf")
	req.Header.Set("Idempotency-Key", fmt.Sprint("document ", i))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0
	}
	defer func() { _ = res.Body.Close() }()
	var got struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		return "", 0
	}
	return got.ID, res.StatusCode
}

// state is what the API says of an extraction; empty where it knows nothing.
func (p *posts) state(id string) (status, code string) {
	answer, body := page(p.t, p.url+"/"+id)
	if answer == http.StatusNotFound {
		return "", ""
	}
	if answer != http.StatusOK {
		return "?", ""
	}
	var e struct {
		Status string `json:"status"`
		Error  *struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		p.t.Fatal(err)
	}
	if e.Error != nil {
		code = e.Error.Code
	}
	return e.Status, code
}

// settle names what is lost, recovers it, and waits until everything has ended.
func (p *posts) settle(w *process) {
	t := p.t
	var lost []string
	for _, id := range p.ids {
		if status, _ := p.state(id); status == "" {
			lost = append(lost, id)
		}
	}
	slices.Sort(lost)
	entries, err := os.ReadDir(p.path("data", "documents"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			p.age("data", "documents", e.Name())
		}
	}
	named := lines(p.run(p.shared("recover", "--dry-run")...).want(t, 0).stdout)
	slices.Sort(named)
	wantIDs(t, "named as lost", lost, named)
	if len(lost) > 0 {
		r := p.run(p.shared("doctor", "--deep", "--no-vendors")...)
		second := p.worker()
		for _, id := range lost {
			if !strings.Contains(r.stdout, id) {
				t.Errorf("doctor --deep does not name %s: %s", id, r.stdout)
			}
			second.says(id)
		}
		p.run(p.shared("recover")...).want(t, 0)
	}
	uncertain := 0
	for i, id := range p.ids {
		var status, code string
		eventuallyFor(t, 3*time.Minute, id+" has ended", func() bool {
			status, code = p.state(id)
			return slices.Contains([]string{"SUCCESS", "ERROR", "EXPIRED", "CANCELED"}, status)
		})
		taken := p.vendor.takenBy()[p.docs[i].sha256]
		switch {
		case len(taken) > 1:
			t.Errorf("the vendor has taken %s twice, as %v", p.docs[i].name, taken)
		case status == "ERROR" && code == "submit_uncertain":
			uncertain++
		case status != "SUCCESS" || len(taken) != 1:
			t.Errorf("%s of %s is %s %s, and the vendor has taken it as %v", id, p.docs[i].name, status, code, taken)
		}
	}
	t.Logf("%d documents: %d posts failed, %d records were lost, %d had forgotten a submission, %d are uncertain",
		len(p.docs), p.failed, len(lost), strings.Count(w.stderr.String(), "has forgotten a submission"), uncertain)
	if r := p.run(p.shared("doctor", "--deep", "--no-vendors")...); !strings.Contains(r.stdout, "agree with their indexes") {
		t.Errorf("doctor --deep says %s", r.stdout)
	}
}
