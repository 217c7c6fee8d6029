package bench

import (
	"slices"
	"time"
)

// tally counts what the measured documents took.
type tally struct {
	began                                    time.Duration // When the first arrived,
	lastSubmit                               time.Duration // and when the last was taken.
	arrived, submits, polls, fetches, sweeps int
	taken                                    int // Of the submissions.
	pollsBefore                              int // Answered until the last submission.
	refusals, lost                           int
	delays                                   []time.Duration
}

// count counts a document in; true for the first.
func (t *tally) count(*job) bool {
	t.arrived++
	return t.arrived == 1
}

func (t *tally) submit(j *job) {
	if j.measured {
		t.submits++
	}
}

// took counts a submission that was not refused.
func (t *tally) took(j *job, now time.Duration) {
	if j.measured {
		t.taken++
		others := t.refusals - (t.submits - t.taken) // Refused ones, which are not submissions.
		t.lastSubmit, t.pollsBefore = now, t.polls+t.fetches+t.sweeps-others
	}
}

// poll counts a poll, or a fetch where a webhook has reported the end.
func (t *tally) poll(j *job) {
	switch {
	case !j.measured:
	case j.hinted():
		t.fetches++
	default:
		t.polls++
	}
}

func (t *tally) refused(j *job) {
	if j.measured {
		t.refusals++
	}
}

func (t *tally) end(j *job, now time.Duration, lost bool) {
	switch {
	case !j.measured:
	case lost:
		t.lost++
	default:
		t.delays = append(t.delays, now-j.finish)
	}
}

// outcome is what the numbers come to.
func (r *run) outcome(rep Report) Outcome {
	t := &r.tally
	o := Outcome{
		Policy: r.policy.name, Succeeded: len(t.delays), Lost: t.lost, Refused: t.refusals,
		Requests: Requests{Submit: t.submits, Poll: t.polls, Fetch: t.fetches, Sweep: t.sweeps},
	}
	o.Delays(t.delays)
	o.Submits(t.lastSubmit-t.began, t.taken, t.pollsBefore, rep.Rate)
	o.Judge(rep)
	return o
}

// quantile is the time within which a share of sorted times are.
func quantile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

func sortedCopy(d []time.Duration) []time.Duration {
	out := slices.Clone(d)
	slices.Sort(out)
	return out
}
