package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// extraction is what the API says of one.
type extraction struct {
	ID, Account, Status string
	Vendor              struct{ ID string }
	Error               *struct{ Code, Message string }
	Callback            *struct{ State string }
}

func (x extraction) over() bool {
	switch x.Status {
	case "SUCCESS", "ERROR", "EXPIRED", "CANCELED":
		return x.Callback == nil || x.Callback.State != "pending"
	}
	return false
}

// code is that of the extraction's error, "" where it has none.
func (x extraction) code() string {
	if x.Error == nil {
		return ""
	}
	return x.Error.Code
}

// settle waits until everything is final and delivered, or until it takes too long. An
// account that the strikes have paused is resumed, as an operator would do.
func (s *site) settle(ctx context.Context, p *producers) (map[string]extraction, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Settle)
	defer cancel()
	var all map[string]extraction
	var err error
	for {
		var page map[string]extraction
		if page, err = s.list(ctx); err == nil {
			all = page
			waiting := 0
			for _, x := range all {
				if !x.over() {
					waiting++
				}
			}
			s.log.InfoContext(ctx, "settling", slog.Int("extractions", len(all)), slog.Int("waiting", waiting))
			if waiting == 0 && len(all) >= p.accepted() {
				return all, nil
			}
		}
		for _, account := range []string{sensibleAccount, typlessAccount} {
			_ = s.ask(ctx, http.MethodPost, "/v1/accounts/"+account+"/resume", nil) // It is asked again.
		}
		if pause(ctx, time.Second) != nil {
			return all, err
		}
	}
}

// list is every extraction that the API knows.
func (s *site) list(ctx context.Context) (map[string]extraction, error) {
	out, cursor := map[string]extraction{}, ""
	for {
		var page struct {
			Extractions []extraction
			NextCursor  string `json:"next_cursor"`
		}
		if err := s.ask(ctx, http.MethodGet, "/v1/extractions?limit=1000&cursor="+cursor, &page); err != nil {
			return nil, err
		}
		for _, x := range page.Extractions {
			out[x.ID] = x
		}
		if cursor = page.NextCursor; cursor == "" {
			return out, nil
		}
	}
}

// ask asks the API, and reads its answer into into where it is one.
func (s *site) ask(ctx context.Context, method, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.api+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", path, res.Status)
	}
	if into == nil {
		return nil
	}
	return decode(res.Body, into)
}

func decode(r io.Reader, into any) error { return json.NewDecoder(r).Decode(into) }

// judge compares what the producers were told, what the API knows, what the vendor has
// taken and what was called back.
func (s *site) judge(ctx context.Context, p *producers, all map[string]extraction) Report {
	r := Report{Config: s.Config, Accepted: p.accepted(), Violations: slices.Clone(p.wrong)}
	s.mu.Lock()
	r.Strikes, r.Refused, r.Skipped = s.strikes, s.refused, slices.Clone(s.skipped)
	for _, what := range s.ended {
		r.broken("a process ended without being killed: %s", what)
	}
	s.mu.Unlock()
	taken := s.vendor.ledger()
	for _, d := range p.docs {
		times := taken[d.digest]
		delete(taken, d.digest)
		if len(times) > 1 {
			r.broken("%s (%s, %v): paid %d times, as %v", d.name, d.account, d.ids, len(times), times)
		}
		if len(d.ids) != 1 {
			r.broken("%s has the ids %v, want one", d.name, d.ids)
			continue
		}
		x, known := all[d.ids[0]]
		delete(all, d.ids[0])
		if !known {
			r.broken("%s is lost: %s was accepted and is not in the list", d.name, d.ids[0])
			continue
		}
		s.judgeOne(ctx, &r, d, x, times)
	}
	for id := range all {
		r.broken("%s is an extraction whose id no producer received", id)
	}
	for digest, ids := range taken {
		r.broken("the vendor has taken a document that no producer has: %s as %v", digest, ids)
	}
	s.audit(ctx, &r)
	s.readLogs(&r)
	return r
}

// judgeOne judges a document, which the vendor has taken under the ids times.
func (s *site) judgeOne(ctx context.Context, r *Report, d *document, x extraction, times []string) {
	switch code := x.code(); {
	case x.Status == "SUCCESS":
		r.Success++
		if len(times) != 1 || times[0] != x.Vendor.ID {
			r.broken("%s is SUCCESS as %s, and the vendor has taken it as %v", d.name, x.Vendor.ID, times)
		}
		if err := s.ask(ctx, http.MethodGet, "/v1/extractions/"+x.ID+"/result", nil); err != nil {
			r.broken("%s has no result: %v", d.name, err)
		}
	case code == "submit_uncertain":
		r.Uncertain = append(r.Uncertain, fmt.Sprintf("%s (%s): %s; the vendor has taken it %d times", x.ID, d.account, x.Error.Message, len(times)))
		switch {
		case x.Error.Message == "":
			r.broken("%s is uncertain without a reason", x.ID)
		case len(times) > 0 && strings.Contains(x.Error.Message, "the vendor does not list it"):
			r.broken("%s is uncertain, and the vendor has taken it as %v: it was not found in time", x.ID, times)
		}
	case code == "vendor_failed":
		r.Failed++ // Its own verdict, or five sure refusals.
	default:
		r.broken("%s (%s) is %s %s, and the vendor has taken it as %v", d.name, x.ID, x.Status, code, times)
	}
	s.receiver.mu.Lock()
	defer s.receiver.mu.Unlock()
	events := s.receiver.events[x.ID]
	r.Callbacks += len(events)
	switch state := s.receiver.ends[x.ID]; {
	case len(events) == 0:
		r.broken("%s: the callback never came", x.ID)
	case len(slices.Compact(slices.Sorted(slices.Values(events)))) != 1:
		r.broken("%s: its callback came under the ids %v", x.ID, events)
	case state != x.Status:
		r.broken("%s is %s, and was called back as %s", x.ID, x.Status, state)
	}
	if x.Callback == nil || x.Callback.State != "delivered" {
		r.broken("%s: its callback is %v", x.ID, x.Callback)
	}
}

func (r *Report) broken(format string, args ...any) {
	r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
}

// audit lets doctor compare the records with their indexes and the document store.
func (s *site) audit(ctx context.Context, r *Report) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := s.command(ctx, s.Binary, s.shared("doctor", "--deep", "--no-vendors", "--json")...)
	out, err := cmd.Output() // Notes about workers and persistence are no violations.
	checked := false
	for line := range bytes.Lines(out) {
		var f struct{ Check, State, Message string }
		if json.Unmarshal(line, &f) != nil || f.Check != "records" {
			continue
		}
		checked = true
		if f.State != "ok" {
			r.broken("doctor: %s", f.Message)
		}
	}
	if !checked {
		r.broken("doctor says nothing about records: %v: %s", err, out)
	}
}

// readLogs looks for what no log should have.
func (s *site) readLogs(r *Report) {
	names, _ := filepath.Glob(s.path("*.log"))
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, word := range []string{"panic:", "DATA RACE", "fatal error:", "goroutine "} {
			if i := strings.Index(string(body), word); i >= 0 {
				r.broken("%s says %q", filepath.Base(name), string(body[i:min(len(body), i+200)]))
				break
			}
		}
	}
}
