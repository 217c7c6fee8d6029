package bench

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/extractq/extractq/sandbox"
)

const s = time.Second

// typical is a vendor with a median of 14 s and a 95th percentile of 34 s.
var typical = sandbox.LogNormal(14*s, math.Log(34.0/14)/1.6449)

var mixture = must(sandbox.ParseLatency("0.85*lognormal:8s,0.4+0.15*lognormal:60s,0.5"))

func must(l sandbox.Latency, err error) sandbox.Latency {
	if err != nil {
		panic(err)
	}
	return l
}

func replay(t testing.TB, c Config) map[string]Outcome {
	t.Helper()
	r, err := Replay(c)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Outcome{}
	for _, o := range r.Policies {
		out[o.Policy] = o
		if o.Succeeded+o.Lost != c.Documents {
			t.Errorf("%s: %d and %d lost of %d documents", o.Policy, o.Succeeded, o.Lost, c.Documents)
		}
	}
	return out
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within*want {
		t.Errorf("%s = %.4f, want %.4f within %g %%", what, got, want, 100*within)
	}
}

// What the theory says of the best schedules: a planner that has learned from many
// documents comes to that, counted document by document.
func TestReplayIsWhatTheorySays(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		law                sandbox.Latency
		polls, delay, best float64
	}{
		"exponential": {sandbox.Exponential(10 * s), 2.93715, 2.22506, 5.16221},
		"uniform":     {sandbox.Uniform(0, 60*s), 0, 0, 7.8106},
		"lognormal":   {typical, 2.911, 2.393, 5.304},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := replay(t, Config{Law: tt.law, Documents: 20_000, WarmUp: 1000, Arrive: 20, Seed: 1, offGrid: true})["learned"]
			near(t, "J", got.J, tt.best, 0.03)
			if tt.polls > 0 {
				near(t, "polls", got.Each, tt.polls, 0.04)
				near(t, "delay", got.Delay.Mean, tt.delay, 0.05)
			}
		})
	}
}

// The baselines have closed forms: E[N] is the sum of what is left at each question,
// and of n documents' means no more is expected.
func TestBaselines(t *testing.T) {
	t.Parallel()
	got := replay(t, Config{Law: typical, Documents: 10_000, Seed: 3})
	fixed, exponential, clairvoyant := got[FixedPolicy], got["exponential"], got["clairvoyant"]
	polls, delay := 1.0, 0.0 // The first one comes at once.
	for at := 0.0; at < 3600; at += 5 {
		polls += 1 - typical.CDF(at)
		delay += 5 * (1 - typical.CDF(at))
	}
	delay -= typicalMean()
	near(t, "fixed 5 s: polls", fixed.Each, polls, 0.01)
	near(t, "fixed 5 s: delay", fixed.Delay.Mean, delay, 0.02)
	polls, delay = 0, 0
	for at, k := 0.0, 0; at < 36000; k++ {
		gap := min(math.Exp2(float64(k)), 60)
		polls += 1 - typical.CDF(at)
		delay += gap * (1 - typical.CDF(at))
		at += gap
	}
	delay -= typicalMean()
	near(t, "exponential: polls", exponential.Each, polls, 0.01)
	near(t, "exponential: delay", exponential.Delay.Mean, delay, 0.02)
	if clairvoyant.Each != 1 || clairvoyant.Delay.P99 != 0 {
		t.Errorf("clairvoyant: %+v, want one request and no delay", clairvoyant)
	}
}

func typicalMean() float64 {
	sigma := math.Log(34.0/14) / 1.6449
	return 14 * math.Exp(sigma*sigma/2)
}

// The figures that the product promises of the typical vendor, on the grid of whole
// seconds: at most 3.0 polls and 2.5 s where fixed 5 s takes 4.9 and 2.4 s. They hold in
// the mean for times that are drawn one by one, and in sum in each run of an even sample.
func TestTypicalVendor(t *testing.T) {
	t.Parallel()
	for _, intervals := range []bool{false, true} {
		const seeds = 20
		var polls, delays []float64
		for seed := range uint64(seeds) {
			c := Config{Law: typical, Documents: 200, WarmUp: 200, Seed: seed, Intervals: intervals, drawn: true}
			drawn := replay(t, c)["learned"]
			polls, delays = append(polls, drawn.Each), append(delays, drawn.Delay.Mean)
			c.drawn = false
			if even := replay(t, c)["learned"]; even.J > 5.5 {
				t.Errorf("seed %d, intervals %v: %.2f polls, %.2f s", seed, intervals, even.Each, even.Delay.Mean)
			}
		}
		poll, pollSpread := meanOf(polls)
		delay, delaySpread := meanOf(delays)
		t.Logf("intervals %v: %.2f±%.2f polls, %.2f±%.2f s", intervals, poll, pollSpread, delay, delaySpread)
		if poll > 3.0 || delay > 2.5 {
			t.Errorf("intervals %v: %.2f polls and %.2f s, want at most 3.0 and 2.5 s", intervals, poll, delay)
		}
	}
}

// meanOf returns the mean and the standard deviation.
func meanOf(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean) / float64(len(values))
	}
	return mean, math.Sqrt(deviation)
}

// How near learning comes to J*: within 5 % after 1,000 documents, within 15 % after
// 20, and not worse than fixed 5 s from the fifth on.
func TestLearnedIsNearTheBest(t *testing.T) {
	t.Parallel()
	for name, law := range map[string]sandbox.Latency{
		"lognormal": typical, "uniform": sandbox.Uniform(0, 60*s), "exponential": sandbox.Exponential(10 * s), "mixture": mixture,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range []struct {
				warmUp, seeds int
				most          float64
			}{{1000, 1, 1.05}, {20, 8, 1.15}, {5, 8, 0}} {
				learned, fixed := 0.0, 0.0
				for seed := range uint64(tt.seeds) {
					got := replay(t, Config{Law: law, Documents: 4000, WarmUp: tt.warmUp, Seed: seed, offGrid: true, frozen: true, drawn: true})
					learned += got["learned"].Ratio / float64(tt.seeds)
					fixed += got[FixedPolicy].Ratio / float64(tt.seeds)
				}
				most := tt.most
				if most == 0 {
					most = fixed
				}
				t.Logf("after %d: J is %.3f of J*, fixed 5 s %.3f", tt.warmUp, learned, fixed)
				if learned > most {
					t.Errorf("after %d: J is %.3f of J*, want at most %.3f", tt.warmUp, learned, most)
				}
			}
		})
	}
}

// A burst is remembered as it was, not as those were that finished last, and what is
// in flight does not make it look slower: neither in the middle of it nor afterwards.
func TestBursts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"in the middle":    {Law: typical, Documents: 5000, WarmUp: 200},
		"after it":         {Law: typical, Documents: 400, WarmUp: 5000},
		"500 at a time":    {Law: typical, Documents: 5000, WarmUp: 200, MaxInFlight: 500},
		"of two kinds":     {Law: mixture, Documents: 400, WarmUp: 5000},
		"of a slow vendor": {Law: sandbox.LogNormal(60*s, 0.5), Documents: 2000, WarmUp: 200},
	} {
		ratio := 0.0
		const seeds = 4
		for seed := range uint64(seeds) {
			c.Seed = seed
			ratio += replay(t, c)["learned"].Ratio / seeds
		}
		t.Logf("%s: J is %.3f of J*", name, ratio)
		if ratio > 1.05 {
			t.Errorf("%s: J is %.3f of J*, want at most 1.05", name, ratio)
		}
	}
}

// The same seed gives the same report, another one another.
func TestReplayIsRepeatable(t *testing.T) {
	t.Parallel()
	text := func(seed uint64) string {
		r, err := Replay(Config{
			Law: mixture, Documents: 2000, WarmUp: 100, Seed: seed, Rate: 200, Arrive: 40, MaxInFlight: 600, Webhooks: 0.9, Intervals: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	first := text(7)
	if again := text(7); again != first {
		t.Errorf("the same seed gave\n%s\nand\n%s", first, again)
	}
	if text(8) == first {
		t.Error("another seed gave the same report")
	}
}

// Inside a limit everything succeeds without a single 429, and what the rate leaves
// is used; the SDK loses what it sends too much.
func TestRate(t *testing.T) {
	t.Parallel()
	got := replay(t, Config{Law: typical, Documents: 200, WarmUp: 200, Seed: 1, Rate: 10})
	if o := got["learned"]; o.Succeeded != 200 || o.Refused != 0 || o.Share < 0.9 {
		t.Errorf("learned: %+v, want 200 without a 429 and at least 90 %% of the rate's rest", o)
	}
	for name, o := range got {
		if o.Share > 1.05 {
			t.Errorf("%s: %.0f %% of what the rate leaves", name, 100*o.Share)
		}
	}
	if o := got[FixedPolicy]; o.Lost < 150 || o.Refused != o.Lost {
		t.Errorf("fixed 5 s: %d lost after %d refusals, want most of 200, one refusal each", o.Lost, o.Refused)
	}
	if o := got["exponential"]; o.Lost != 0 || o.Refused == 0 || o.Throughput <= 0 || o.Throughput > 10 {
		t.Errorf("exponential: %d lost after %d refusals, %.2f submissions a second, want none after some, and up to 10",
			o.Lost, o.Refused, o.Throughput)
	}
}

// With webhooks of which 95 of 100 arrive there is little left to ask, and every lost
// one is found.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	got := replay(t, Config{Law: typical, Documents: 5000, WarmUp: 200, Seed: 1, Webhooks: 0.95, Arrive: 20})
	o := got["learned, webhooks"]
	if o.Each > 1.4 || o.Succeeded != 5000 {
		t.Errorf("%.2f requests for each of %d, want at most 1.4 for each of 5000", o.Each, o.Succeeded)
	}
	if plain := got["learned"]; o.Delay.Mean > plain.Delay.Mean || o.Each >= plain.Each {
		t.Errorf("with webhooks %.2f requests and %.2f s, without %.2f and %.2f s", o.Each, o.Delay.Mean, plain.Each, plain.Delay.Mean)
	}
	near(t, "fetches", float64(o.Requests.Fetch), 0.95*5000, 0.03)
}

// With ready lists few requests find what many took, also where documents come slowly
// and lists are read now and then or not at all.
func TestLists(t *testing.T) {
	t.Parallel()
	each, delay := 0.0, 0.0
	const seeds = 5
	for seed := range uint64(seeds) {
		o := replay(t, Config{Law: typical, Documents: 200, WarmUp: 200, Seed: seed, Lists: true})["learned, lists"]
		if o.Requests.Sweep == 0 || o.Requests.Fetch == 0 {
			t.Errorf("%+v, want lists to be read and to find something", o.Requests)
		}
		each += o.Each / seeds
		delay += o.Delay.Mean / seeds
	}
	t.Logf("200 at once: %.2f requests and %.2f s", each, delay)
	if each > 2.4 || delay > 1.2 {
		t.Errorf("%.2f requests and %.2f s, want at most 2.4 and 1.2 s", each, delay)
	}
	for name, c := range map[string]Config{
		"seldom":   {Documents: 100, Arrive: 0.02},
		"often":    {Documents: 1000, Arrive: 20},
		"in turns": {Documents: 500, MaxInFlight: 50},
		"typless":  {Documents: 1000, Arrive: 20, Intervals: true},
	} {
		c.Law, c.WarmUp, c.Seed, c.Lists = typical, 200, 1, true
		got := replay(t, c)
		o, plain := got["learned, lists"], got["learned"]
		t.Logf("%s: J is %.2f (%.2f requests, %.2f s), without lists %.2f", name, o.J, o.Each, o.Delay.Mean, plain.J)
		if o.J > plain.J*1.02 {
			t.Errorf("%s: J is %.2f, and without lists %.2f", name, o.J, plain.J)
		}
	}
}

// No more are in flight than may be.
func TestMaxInFlight(t *testing.T) {
	t.Parallel()
	c := Config{Law: sandbox.Fixed(10 * s), Documents: 100, MaxInFlight: 10, Seed: 1}
	got := replay(t, c)["clairvoyant"]
	if got.Throughput > 1.2 || got.Throughput < 1 {
		t.Errorf("%.2f submissions a second, want one, of 10 at once that take 10 s", got.Throughput)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"documents":     {},
		"warm-up":       {Documents: 1, WarmUp: -1},
		"max in flight": {Documents: 1, MaxInFlight: -1},
		"arrive":        {Documents: 1, Arrive: math.NaN()},
		"rate":          {Documents: 1, Rate: -1},
		"price":         {Documents: 1, Price: -1},
		"webhooks":      {Documents: 1, Webhooks: 1.1},
	} {
		if _, err := Replay(c); err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("Replay(%+v) = %v, want what is wrong with %s", c, err, name)
		}
	}
}

func BenchmarkReplay(b *testing.B) {
	for b.Loop() {
		if _, err := Replay(Config{Law: typical, Documents: 100_000, WarmUp: 200, Seed: 1, MaxInFlight: 500}); err != nil {
			b.Fatal(err)
		}
	}
}
