// Package queue is the adapter to asynq: the kinds of task, their payloads, ids,
// queues and options, and what is done with them.
//
// A task is an accelerator: the record in the store says which step is due, and
// a lost task is made again from it. A payload therefore holds ids and a few
// labels and never a secret, a document's name or what the vendor said about
// it.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// The kinds of task. They are stored in Redis: never rename one without an
// alias for what is already queued.
const (
	TypeSubmit  = "extraction:submit"
	TypePoll    = "extraction:poll"
	TypeDeliver = "extraction:deliver"
)

// DeliverQueue is the queue of the deliveries to producers, of all accounts.
const DeliverQueue = "deliver"

// payloadVersion is written to every payload; a binary refuses newer ones.
const payloadVersion = 1

// SubmitQueue is the queue of an account's submissions.
func SubmitQueue(account string) string { return account + ".submit" }

// PollQueue is the queue of an account's polls.
func PollQueue(account string) string { return account + ".poll" }

// Payload is the body of a submit, poll or deliver task. The labels are for operators who
// look at the queue; the worker acts on the record.
type Payload struct {
	Version      int    `json:"v"`
	ID           string `json:"id"`
	Account      string `json:"account"`
	Seq          int64  `json:"seq"`
	Type         string `json:"type,omitempty"`
	Customer     string `json:"customer,omitempty"`
	Batch        string `json:"batch,omitempty"`
	Polls        int    `json:"polls,omitempty"`
	VendorStatus string `json:"vendor_status,omitempty"`
}

// For is the payload for the step of a record that carries seq, or for the delivery of
// that number.
func For(r store.Record, seq int64) Payload {
	return Payload{
		Version: payloadVersion, ID: r.ID, Account: r.Account, Seq: seq, Type: r.Type,
		Customer: r.Customer, Batch: r.Batch, Polls: r.Polls, VendorStatus: store.Label(r.VendorStatus),
	}
}

// ErrNewer is returned for a payload that a newer version wrote.
var ErrNewer = errors.New("task written by a newer version")

// Decode reads the payload of a task.
func Decode(t *asynq.Task) (Payload, error) {
	var p Payload
	if err := json.Unmarshal(t.Payload(), &p); err != nil {
		return p, fmt.Errorf("decode payload of %s: %w", t.Type(), err)
	}
	if p.Version > payloadVersion {
		return p, fmt.Errorf("%w: payload version %d, this binary knows %d", ErrNewer, p.Version, payloadVersion)
	}
	return p, nil
}

// TaskID is the id of the task for one step of an extraction. It carries the
// fence, so that a task can be made twice and run once.
func TaskID(id string, seq int64) string { return id + ":" + strconv.FormatInt(seq, 10) }

// deliveryID is the id of the task for one delivery of an extraction.
func deliveryID(id string, n int64) string { return id + ":d" + strconv.FormatInt(n, 10) }

// The longest a handler may run. Submissions and polls are bounded by their lease and by
// the progress of their transfers, not by this: the limit only has to be above any.
const (
	submitTimeout  = 24 * time.Hour
	pollTimeout    = 24 * time.Hour
	deliverTimeout = time.Minute
)

// finishedShown is how long the task that ended an extraction stays as a completed
// one, for operators who look at the queue.
const finishedShown = 10 * time.Minute

// Passed is what the handler of a step returns when the extraction goes on, or
// when there was nothing to do: the task goes and leaves nothing behind. Only the
// task that ended an extraction returns nil, and stays for a while as completed.
var Passed = asynq.RevokeTask

// Outcome is what the task that ended an extraction shows.
type Outcome struct {
	Status    extraction.Status `json:"status"`
	ErrorCode extraction.Code   `json:"error_code,omitempty"`
	Polls     int               `json:"polls"`
}

// ShowIn writes the outcome to the task of a step that ended an extraction, with other
// commands, under the name and in the form of asynq's ResultWriter.
func ShowIn(ctx context.Context, pipe redis.Pipeliner, t *asynq.Task, account string, o Outcome) {
	w := t.ResultWriter()
	if w == nil { // The task was not taken from a queue.
		return
	}
	body, err := json.Marshal(o)
	if err != nil {
		panic(err) // Strings and numbers always encode.
	}
	queue := DeliverQueue
	switch t.Type() {
	case TypeSubmit:
		queue = SubmitQueue(account)
	case TypePoll:
		queue = PollQueue(account)
	}
	pipe.HSet(ctx, "asynq:{"+queue+"}:t:"+w.TaskID(), "result", body)
}

// newStep is the task for the step of a record.
func newStep(step extraction.Step, p Payload, at time.Time) (*asynq.Task, []asynq.Option) {
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // Strings and numbers always encode.
	}
	opts := []asynq.Option{
		asynq.TaskID(TaskID(p.ID, p.Seq)),
		// Retries are for trouble with Redis or the store only; everything
		// about the vendor is a new step.
		asynq.MaxRetry(math.MaxInt32),
		asynq.ProcessAt(at),
		asynq.Retention(finishedShown),
	}
	if step == extraction.StepPoll {
		opts = append(opts, asynq.Queue(PollQueue(p.Account)), asynq.Timeout(pollTimeout))
		return asynq.NewTask(TypePoll, body), opts
	}
	opts = append(opts, asynq.Queue(SubmitQueue(p.Account)), asynq.Timeout(submitTimeout))
	return asynq.NewTask(TypeSubmit, body), opts
}

// newDelivery is the task for one delivery of an extraction.
func newDelivery(p Payload, at time.Time) (*asynq.Task, []asynq.Option) {
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // Strings and numbers always encode.
	}
	return asynq.NewTask(TypeDeliver, body), []asynq.Option{
		asynq.Queue(DeliverQueue),
		asynq.TaskID(deliveryID(p.ID, p.Seq)),
		// As for a step: what the producer answers decides on the next delivery.
		asynq.MaxRetry(math.MaxInt32),
		asynq.Timeout(deliverTimeout),
		asynq.ProcessAt(at),
		asynq.Retention(finishedShown),
	}
}
