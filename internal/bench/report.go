package bench

import (
	"encoding/json"
	"io"
	"time"
)

// Report is what the policies came to, side by side.
type Report struct {
	// Mode is "replay" for virtual time and "http" for real time.
	Mode      string  `json:"mode"`
	Law       string  `json:"law"`
	Documents int     `json:"documents"`
	WarmUp    int     `json:"warm_up"`
	Seed      uint64  `json:"seed"`
	Arrive    float64 `json:"arrive_per_second,omitempty"`
	Rate      float64 `json:"rate_per_second,omitempty"`
	Webhooks  float64 `json:"webhooks,omitempty"`
	// Intervals says that the vendor does not tell when it finished.
	Intervals bool `json:"intervals"`
	// Price is how many seconds of delay one request is worth.
	Price float64 `json:"price_seconds"`
	// Best is J*: the least that polls alone can come to, the law being known.
	Best     float64   `json:"best_j"`
	Policies []Outcome `json:"policies"`
}

// Outcome is what one policy came to.
type Outcome struct {
	Policy string `json:"policy"`
	// Succeeded is how many documents it has results of, Lost those it gave up.
	Succeeded int      `json:"succeeded"`
	Lost      int      `json:"lost"`
	Requests  Requests `json:"requests"`
	// Each is the requests for an extraction beyond those that submit it.
	Each  float64 `json:"requests_each"`
	Delay Delay   `json:"delay_seconds"`
	// J is Each times the price and the mean delay, in seconds, Ratio what part it is
	// of J*.
	J     float64 `json:"j"`
	Ratio float64 `json:"j_ratio"`
	// Refused is how many requests got a 429.
	Refused int `json:"refused"`
	// Throughput is the submissions a second, Share what part that is of what the
	// rate left beside the other calls; 0 where there is no rate.
	Throughput float64 `json:"submits_per_second"`
	Share      float64 `json:"submit_share,omitempty"`

	// sorted are all delays, for the plot.
	sorted []time.Duration
}

// Requests are counted by what they are for. An upload goes to another host and is
// no call to the vendor's API; a sweep reads a page of a ready list; a fetch is the
// poll that follows a webhook or a list.
type Requests struct {
	Submit int `json:"submit"`
	Upload int `json:"upload"`
	Poll   int `json:"poll"`
	Sweep  int `json:"sweep"`
	Fetch  int `json:"fetch"`
}

// Beyond is all of them but those that submit.
func (r Requests) Beyond() int { return r.Poll + r.Sweep + r.Fetch }

// Total is all of them.
func (r Requests) Total() int { return r.Submit + r.Upload + r.Beyond() }

// Delay is the time from the vendor's end to ours, in seconds.
type Delay struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
}

// Delays notes when the ends were learned of.
func (o *Outcome) Delays(all []time.Duration) {
	o.sorted = sortedCopy(all)
	sum := time.Duration(0)
	for _, d := range all {
		sum += d
	}
	o.Delay = Delay{
		Mean: sum.Seconds() / float64(max(len(all), 1)),
		P50:  quantile(o.sorted, 0.5).Seconds(), P95: quantile(o.sorted, 0.95).Seconds(), P99: quantile(o.sorted, 0.99).Seconds(),
	}
}

// Submits notes that so many submissions were taken within a time, in which other
// calls were made as well, under a rate.
func (o *Outcome) Submits(within time.Duration, submits, others int, rate float64) {
	if within <= 0 {
		return
	}
	o.Throughput = float64(submits) / within.Seconds()
	// In less time a rate is no measure.
	if left := rate*within.Seconds() - float64(others); within >= time.Second && rate > 0 && left > 0 {
		o.Share = float64(submits) / left
	}
}

// Judge computes J of the delays and requests that are there.
func (o *Outcome) Judge(r Report) {
	if o.Succeeded == 0 {
		return
	}
	o.Each = float64(o.Requests.Beyond()) / float64(o.Succeeded)
	o.J = o.Each*r.Price + o.Delay.Mean
	o.Ratio = o.J / r.Best
}

// WriteJSON writes the report as one object.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
