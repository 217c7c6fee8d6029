// Package tasks is what travels in the queue: the kinds of task, their payloads,
// ids, queues and options, and the Client with which other services enqueue.
//
// A task is an accelerator: the record in the store says which step is due, and
// a lost task is made again from it. A payload therefore holds ids and a few
// labels and never a secret, a document's name or what the vendor said about
// it.
package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// The kinds of task. They are stored in Redis: never rename one without an
// alias for what is already queued.
const (
	TypeSubmit    = "extraction:submit"
	TypePoll      = "extraction:poll"
	TypeDeliver   = "extraction:deliver"
	TypeSweep     = "account:sweep"
	TypeReconcile = "system:reconcile"
	TypeExpire    = "system:expire"
)

// DeliverQueue is the queue of the deliveries to producers, of all accounts.
const DeliverQueue = "deliver"

// SystemQueue is the queue of what belongs to no single extraction.
const SystemQueue = "system"

// payloadVersion is written to every payload; a binary refuses newer ones.
const payloadVersion = 1

// SubmitQueue is the queue of an account's submissions.
func SubmitQueue(account string) string { return account + ".submit" }

// PollQueue is the queue of an account's polls.
func PollQueue(account string) string { return account + ".poll" }

// Payload is the body of a submit, poll or deliver task. The labels are for those who
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

// Tick is the body of a task that looks after one account: reconcile or sweep.
type Tick struct {
	Version int    `json:"v"`
	Account string `json:"account"`
}

// ErrNewer is returned for a payload that a newer version wrote.
var ErrNewer = errors.New("task written by a newer version")

// Decode reads the payload of a submit, poll or deliver task.
func Decode(t *asynq.Task) (Payload, error) {
	var p Payload
	err := decode(t, &p, &p.Version)
	return p, err
}

// DecodeTick reads the payload of a reconcile or sweep task.
func DecodeTick(t *asynq.Task) (Tick, error) {
	var p Tick
	err := decode(t, &p, &p.Version)
	return p, err
}

// decode reads a payload, which holds its version.
func decode(t *asynq.Task, payload any, version *int) error {
	if err := json.Unmarshal(t.Payload(), payload); err != nil {
		return fmt.Errorf("decode payload of %s: %w", t.Type(), err)
	}
	if *version > payloadVersion {
		return fmt.Errorf("%w: payload version %d, this binary knows %d", ErrNewer, *version, payloadVersion)
	}
	return nil
}

// TaskID is the id of the task for one step of an extraction. It carries the
// fence, so that a task can be made twice and run once.
func TaskID(id string, seq int64) string { return id + ":" + strconv.FormatInt(seq, 10) }

// deliveryID is the id of the task for one delivery of an extraction.
func deliveryID(id string, n int64) string { return id + ":d" + strconv.FormatInt(n, 10) }

// The longest a handler may run. A submission is bounded by its lease, not by
// this: the limit only has to be above any upload.
const (
	submitTimeout    = 2 * time.Hour
	pollTimeout      = 5 * time.Minute
	deliverTimeout   = time.Minute
	reconcileTimeout = time.Minute
	sweepTimeout     = time.Minute
	expireTimeout    = 30 * time.Minute
)

// finishedShown is how long the task that ended an extraction stays as a completed
// one, for those who look at the queue.
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

// Show writes the outcome to the task that ended an extraction.
func Show(t *asynq.Task, o Outcome) error {
	w := t.ResultWriter()
	if w == nil { // The task was not taken from a queue.
		return nil
	}
	body, err := json.Marshal(o)
	if err != nil {
		panic(err) // Strings and numbers always encode.
	}
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("show outcome: %w", err)
	}
	return nil
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

// NewReconcile is the task that looks after one account in one slot of time.
// Any number of schedulers that enqueue the same slot give one run: the id is
// kept for two slots after the run.
func NewReconcile(account string, slot int64, interval time.Duration) (*asynq.Task, []asynq.Option) {
	body, err := json.Marshal(Tick{Version: payloadVersion, Account: account})
	if err != nil {
		panic(err) // Strings and numbers always encode.
	}
	return newTick(TypeReconcile, body, reconcileID(account, slot), reconcileTimeout, interval)
}

func reconcileID(account string, slot int64) string {
	return "reconcile:" + account + ":" + strconv.FormatInt(slot, 10)
}

// NewSweep is the task that reads the ready lists of one account in one slot of time.
func NewSweep(account string, slot int64, interval time.Duration) (*asynq.Task, []asynq.Option) {
	body, err := json.Marshal(Tick{Version: payloadVersion, Account: account})
	if err != nil {
		panic(err) // Strings and numbers always encode.
	}
	return newTick(TypeSweep, body, sweepID(account, slot), sweepTimeout, interval)
}

func sweepID(account string, slot int64) string {
	return "sweep:" + account + ":" + strconv.FormatInt(slot, 10)
}

// NewExpire is the task that looks through the document store in one slot of
// time, once however many schedulers enqueue it.
func NewExpire(slot int64, interval time.Duration) (*asynq.Task, []asynq.Option) {
	return newTick(TypeExpire, []byte(`{"v":1}`), "expire:"+strconv.FormatInt(slot, 10), expireTimeout, interval)
}

// newTick is a task of one slot of time. What it would have done waits for the
// next one.
func newTick(kind string, body []byte, id string, timeout, interval time.Duration) (*asynq.Task, []asynq.Option) {
	return asynq.NewTask(kind, body), []asynq.Option{
		asynq.Queue(SystemQueue),
		asynq.TaskID(id),
		asynq.MaxRetry(0),
		asynq.Timeout(timeout),
		asynq.Retention(max(2*interval, 2*time.Second)),
	}
}
