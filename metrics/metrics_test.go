package metrics

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// shared is the shared state in a Redis, for an account "acme".
func shared(t *testing.T, rdb *redis.Client) Shared {
	t.Helper()
	records, err := store.NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	return Shared{
		Records: records, Limiter: limiter.New(rdb, records), Queue: queue.New(rdb), Accounts: func() []string { return []string{"acme"} },
	}
}

// scrape is what Prometheus gets: lines, by the series they are of.
func scrape(t *testing.T, m *Metrics) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	if w.Code != http.StatusOK {
		t.Fatalf("answered %d: %s", w.Code, w.Body)
	}
	got := map[string]string{}
	for line := range strings.Lines(w.Body.String()) {
		if series, value, ok := strings.Cut(strings.TrimSpace(line), "} "); ok && strings.HasPrefix(series, "extractq_") {
			got[series+"}"] = value
		}
	}
	return got
}

func want(t *testing.T, got map[string]string, series, value string) {
	t.Helper()
	if got[series] != value {
		t.Errorf("%s is %q, want %q", series, got[series], value)
	}
}

func TestCounters(t *testing.T) {
	t.Parallel()
	m := New("1.2.3")
	m.Account("acme")
	m.Ended(End{Account: "acme", Status: extraction.StatusSuccess, Duration: 20 * time.Second, Polls: 2, Delay: 1200 * time.Millisecond})
	m.Ended(End{Account: "acme", Status: extraction.StatusError, Code: extraction.CodeDeadlineExceeded, Duration: time.Hour, Polls: 30, Delay: -1})
	m.Requested("acme", "poll", 200, 80*time.Millisecond)
	m.Requested("acme", "poll", 0, 30*time.Second)
	m.Delivered("retry")
	refused := m.Refused("api")
	refused("no_key", 0)
	refused("unknown_key", 1)
	refused("unknown_key", 1)
	got := scrape(t, m)
	for series, value := range map[string]string{
		`extractq_extractions_total{account="acme",status="SUCCESS"}`:              "1",
		`extractq_extractions_total{account="acme",status="ERROR"}`:                "1",
		`extractq_extractions_total{account="acme",status="EXPIRED"}`:              "0",
		`extractq_errors_total{account="acme",code="deadline_exceeded"}`:           "1",
		`extractq_vendor_requests_total{account="acme",code="200",op="poll"}`:      "1",
		`extractq_vendor_requests_total{account="acme",code="none",op="poll"}`:     "1",
		`extractq_vendor_request_duration_seconds_count{account="acme",op="poll"}`: "2",
		`extractq_extraction_duration_seconds_sum{account="acme"}`:                 "3620",
		`extractq_detection_delay_seconds_count{account="acme"}`:                   "1",
		`extractq_detection_delay_seconds_bucket{account="acme",le="1.5"}`:         "1",
		`extractq_polls_per_extraction_bucket{account="acme",le="2"}`:              "1",
		`extractq_polls_per_extraction_bucket{account="acme",le="50"}`:             "2",
		`extractq_deliveries_total{outcome="retry"}`:                               "1",
		`extractq_refused_requests_total{reason="no_key",server="api"}`:            "0",
		`extractq_refused_requests_total{reason="unknown_key",server="api"}`:       "2",
	} {
		want(t, got, series, value)
	}
	if !slices.ContainsFunc(keys(got), func(s string) bool {
		return strings.HasPrefix(s, "extractq_build_info{") && strings.Contains(s, `version="1.2.3"`)
	}) {
		t.Errorf("no build info in %v", keys(got))
	}
	if problems, err := testutil.GatherAndLint(m.registry); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

func keys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

// An extraction that was accepted by a clock ahead of this one ends at once: a sum that
// falls would be a restart to Prometheus.
func TestClockBehind(t *testing.T) {
	t.Parallel()
	m := New("1.2.3")
	m.Ended(End{Account: "acme", Status: extraction.StatusCanceled, Duration: -time.Minute, Delay: -1})
	want(t, scrape(t, m), `extractq_extraction_duration_seconds_sum{account="acme"}`, "0")
}

// A process that is not a server counts nothing.
func TestNone(t *testing.T) {
	t.Parallel()
	var m *Metrics
	m.Account("acme")
	m.Ended(End{Account: "acme"})
	m.Requested("acme", "poll", 200, time.Second)
	m.Delivered("delivered")
	m.Refused("api")("no_key", 1)
}

func TestShared(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	s := shared(t, rdb)
	blobs, err := store.OpenBlobs(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	client, err := intake.New(intake.Parts{Redis: rdb, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	// One account that has left the configuration, and another application's queue.
	for _, account := range []string{"acme", "gone"} {
		if _, err := client.Submit(t.Context(), intake.Submission{
			Account: account, Provider: "fake", Type: "t", Name: "a.pdf", Document: strings.NewReader("x"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask("other", nil), asynq.Queue("others")); err != nil {
		t.Fatal(err)
	}
	if err := rdb.ZAdd(t.Context(), "extractq:{acme}:queued", redis.Z{
		Score: float64(time.Now().Add(-time.Hour).UnixMilli()), Member: "01JD0000000000000000000000",
	}).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Limiter.Pause(t.Context(), "acme", limiter.Quota, "key", "used up"); err != nil {
		t.Fatal(err)
	}
	m := New("dev")
	m.Share(s)
	got := scrape(t, m)
	for series, value := range map[string]string{
		`extractq_account_paused{account="acme",reason="quota"}`:        "1",
		`extractq_account_paused{account="acme",reason="unauthorized"}`: "0",
		`extractq_account_paused{account="gone",reason="quota"}`:        "0",
		`extractq_in_flight{account="acme"}`:                            "0",
		`extractq_queue_depth{queue="gone.submit",state="scheduled"}`:   "1",
	} {
		want(t, got, series, value)
	}
	if waited := got[`extractq_oldest_queued_seconds{account="acme"}`]; !strings.HasPrefix(waited, "36") {
		t.Errorf("the oldest has waited %s s, want about 3600", waited)
	}
	for series := range got {
		if strings.Contains(series, "others") {
			t.Errorf("%s is none of ours", series)
		}
	}
	if problems, err := testutil.GatherAndLint(m.registry); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

// While Redis is away, what the process counts is shown all the same.
func TestSharedWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	m := New("dev")
	m.Share(shared(t, server.Client()))
	m.Account("acme")
	server.Kill()
	got := scrape(t, m)
	want(t, got, `extractq_extractions_total{account="acme",status="SUCCESS"}`, "0")
	if v, ok := got[`extractq_in_flight{account="acme"}`]; ok {
		t.Errorf("%s are in flight, by a Redis that is away", v)
	}
}
