package bench

import "time"

// event is something that happens at a moment of virtual time.
type event struct {
	at  time.Duration
	n   uint64 // Of two at one moment the one that was planned first.
	job *job
	// turn is that of the job when the event was planned: a poll that was pulled
	// forward leaves its old event behind.
	turn int32
	kind kind
}

// kind is what happens.
type kind uint8

const (
	arrives kind = iota // A document is there to be submitted.
	due                 // A poll is due.
	hooked              // A webhook comes in.
	wakes               // The rate allows the next call.
	tends               // It is decided how the ready lists are read.
	reads               // The ready lists are read.
)

// events are a heap, the earliest first.
type events struct {
	heap []event
	n    uint64
}

func (e *events) add(v event) {
	e.n++
	v.n = e.n
	e.heap = append(e.heap, v)
	for i := len(e.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !e.before(i, up) {
			break
		}
		e.heap[i], e.heap[up] = e.heap[up], e.heap[i]
		i = up
	}
}

// next takes the earliest out.
func (e *events) next() event {
	first, last := e.heap[0], len(e.heap)-1
	e.heap[0] = e.heap[last]
	e.heap = e.heap[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down+1 < last && e.before(down+1, down) {
			down++
		}
		if down >= last || !e.before(down, i) {
			return first
		}
		e.heap[i], e.heap[down] = e.heap[down], e.heap[i]
		i = down
	}
}

func (e *events) before(i, j int) bool {
	a, b := &e.heap[i], &e.heap[j]
	return a.at < b.at || a.at == b.at && a.n < b.n
}

// queue is first in, first out.
type queue struct {
	jobs []*job
	head int
}

func (q *queue) add(j *job) { q.jobs = append(q.jobs, j) }

func (q *queue) empty() bool { return q.head == len(q.jobs) }

func (q *queue) next() *job {
	j := q.jobs[q.head]
	q.head++
	if q.empty() {
		q.jobs, q.head = q.jobs[:0], 0
	}
	return j
}
