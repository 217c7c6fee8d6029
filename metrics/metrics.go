// Package metrics exports to Prometheus what a process does and the state of the accounts.
//
// There are two kinds. Counters and histograms belong to the process that did the work:
// they start at zero with it and are summed over all processes. Gauges are the state in
// Redis and the same in every process: take their maximum, not their sum.
//
// Labels are accounts, queues, and fixed words of extractq or HTTP; never text that a
// producer or a vendor chooses.
package metrics

import (
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/extractq/extractq/extraction"
)

// Metrics are the metrics of one process. A nil Metrics counts nothing. It is safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	extractions, errors, requests, deliveries, refused, duplicates *prometheus.CounterVec
	requestTime, duration, delay, polls                            *prometheus.HistogramVec
}

// New returns the metrics of a process of that version, with those of the Go runtime.
func New(version string) *Metrics {
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		extractions: counter("extractions_total", "Extractions that this process ended, by their final status.", "account", "status"),
		errors:      counter("errors_total", "Extractions that this process ended with an error, by its code.", "account", "code"),
		requests: counter("vendor_requests_total", "Requests to a vendor, by what they were for "+
			"(submit, upload, poll, ready, probe) and the HTTP status of the answer (none: no answer).", "account", "op", "code"),
		duplicates: counter("duplicates_total", "Documents that a vendor has under a second id, which it may charge for.", "account"),
		deliveries: counter("deliveries_total", "Attempts to call a producer back, by what they came to (delivered, retry, failed).", "outcome"),
		refused: counter("refused_requests_total", "Requests that the api or the dashboard did not let in, by the reason "+
			"(no_key, unknown_key, limited_key, hook_token, foreign).", "server", "reason"),
		requestTime: histogram("vendor_request_duration_seconds", "Time from a request to a vendor to the end of its answer.",
			[]float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}, "account", "op"),
		duration: histogram("extraction_duration_seconds", "Time from the acceptance of an extraction to its end.",
			[]float64{1, 2.5, 5, 10, 15, 20, 30, 45, 60, 120, 300, 600, 1800, 3600, 14400, 86400}, "account"),
		delay: histogram("detection_delay_seconds", "Time from the vendor's end of an extraction to when this process knew it; "+
			"where the vendor does not say when that was, half the time since it had not yet ended.",
			[]float64{.1, .25, .5, 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15, 30, 60, 300}, "account"),
		polls: histogram("polls_per_extraction", "How often a vendor was asked for an extraction that has ended.",
			[]float64{1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100}, "account"),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "extractq_build_info", Help: "Always 1, labelled with what runs.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(m.extractions, m.errors, m.requests, m.deliveries, m.refused, m.duplicates, m.requestTime, m.duration, m.delay, m.polls,
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "extractq_" + name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "extractq_" + name, Help: help, Buckets: buckets}, labels)
}

// Account initialises the counters of an account to zero: a series that appears with its
// first event has no rate.
func (m *Metrics) Account(name string) {
	if m == nil {
		return
	}
	for _, s := range []extraction.Status{
		extraction.StatusSuccess, extraction.StatusError, extraction.StatusExpired, extraction.StatusCanceled,
	} {
		m.extractions.WithLabelValues(name, string(s))
	}
}

// End is how an extraction ended.
type End struct {
	Account string
	Status  extraction.Status
	// Code is the code of its error; empty if there is none.
	Code extraction.Code
	// Duration is the time since it was accepted; Polls counts the polls.
	Duration time.Duration
	Polls    int
	// Delay is how long the vendor's end was unknown to us; negative if the vendor did not
	// end it.
	Delay time.Duration
}

// Ended counts an extraction that this process has ended.
func (m *Metrics) Ended(e End) {
	if m == nil {
		return
	}
	m.extractions.WithLabelValues(e.Account, string(e.Status)).Inc()
	if e.Code != "" {
		m.errors.WithLabelValues(e.Account, string(e.Code)).Inc()
	}
	// Clocks differ, so it may be negative: a sum must not fall.
	m.duration.WithLabelValues(e.Account).Observe(max(0, e.Duration).Seconds())
	m.polls.WithLabelValues(e.Account).Observe(float64(e.Polls))
	if e.Delay >= 0 {
		m.delay.WithLabelValues(e.Account).Observe(e.Delay.Seconds())
	}
}

// Requested counts a request to an account's vendor. status is 0 if there was no answer.
func (m *Metrics) Requested(account, op string, status int, took time.Duration) {
	if m == nil {
		return
	}
	code := "none"
	if status != 0 {
		code = strconv.Itoa(status)
	}
	m.requests.WithLabelValues(account, op, code).Inc()
	m.requestTime.WithLabelValues(account, op).Observe(took.Seconds())
}

// Duplicate counts a document that the vendor has under a second id.
func (m *Metrics) Duplicate(account string) {
	if m != nil {
		m.duplicates.WithLabelValues(account).Inc()
	}
}

// Delivered counts an attempt to deliver a callback.
func (m *Metrics) Delivered(outcome string) {
	if m != nil {
		m.deliveries.WithLabelValues(outcome).Inc()
	}
}

// Refused counts the requests that a server, api or dashboard, refuses.
func (m *Metrics) Refused(server string) func(reason string, n int) {
	return func(reason string, n int) {
		if m != nil {
			m.refused.WithLabelValues(server, reason).Add(float64(n))
		}
	}
}

// maxScrapes is how many scrapes run at once: each reads all of the shared state.
const maxScrapes = 4

// Handler serves Prometheus. While Redis does not answer, its state is left out.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes,
	})
}
