package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/extractq/extractq/extraction"
)

// Phase says how far a submission has got. It is journalled before and after
// each vendor call, so that the worker that takes over knows what may have happened.
type Phase string

// The phases of a submission.
const (
	// PhaseNone: nothing was begun, or what was begun cost nothing.
	PhaseNone Phase = ""
	// PhaseSending: a request was begun, but its last byte was not let go:
	// submitting again is free.
	PhaseSending Phase = "sending"
	// PhaseOpened: the vendor gave an id and waits for the document.
	PhaseOpened Phase = "opened"
	// PhaseSent: the last byte was let go; the answer is not known.
	PhaseSent Phase = "sent"
	// PhaseUncertain: the answer is lost; the vendor's lists are searched.
	PhaseUncertain Phase = "uncertain"
	// PhaseRecheck: this one repeats an extraction that the vendor may have
	// after all, and asks for that first.
	PhaseRecheck Phase = "recheck"
)

// Input is what the producer asked for. It never changes.
type Input struct {
	Version     int                 `json:"v"`
	ID          string              `json:"id"`
	Account     string              `json:"account"`
	Provider    string              `json:"provider"`
	Type        string              `json:"type,omitempty"`
	Types       []string            `json:"types,omitempty"`
	ConfigName  string              `json:"config_name,omitempty"`
	Environment string              `json:"environment,omitempty"`
	Customer    string              `json:"customer,omitempty"`
	Batch       string              `json:"batch,omitempty"`
	Priority    extraction.Priority `json:"priority,omitempty"`
	Metadata    map[string]string   `json:"metadata,omitempty"`
	Options     map[string]any      `json:"options,omitempty"`
	Document    extraction.Document `json:"document"`
	// RetryOf is the extraction that this one repeats.
	RetryOf string `json:"retry_of,omitempty"`
	// CallbackURL is where the end is reported to the producer; empty for nowhere.
	// CallbackKey names the API key it submitted with.
	CallbackURL string `json:"callback_url,omitempty"`
	CallbackKey string `json:"callback_key,omitempty"`
}

// Record is the state of one extraction as Redis has it.
type Record struct {
	Input

	Status extraction.Status
	// Seq is the fence: only the task that carries it may act.
	Seq     int64
	Step    extraction.Step
	Because extraction.Because
	// Owner is the token of the lease's holder, Lease the lease's end.
	Owner string
	Lease time.Time
	// Due is when the step is to be carried out.
	Due time.Time
	// Waiting reports that it has no turn yet; only Create and Begin say so.
	Waiting bool
	// Orphaned is when reconcile first saw the task active without a lease, or when the
	// worker that makes the delivery last said so.
	Orphaned time.Time

	Phase    Phase
	Attempts int
	// SubmitErrors and PollErrors count consecutive failures; FailingSince is
	// the time of the first of the present row.
	SubmitErrors int
	PollErrors   int
	FailingSince time.Time
	// SentAt is when the last byte of a one-call submission was let go;
	// UncertainUntil is when the search for it is given up.
	SentAt         time.Time
	UncertainUntil time.Time
	// Sought is the extraction whose submission is looked for, in PhaseRecheck.
	Sought string
	// UploadExpires is when the upload URL stops working, UploadGone that the
	// upload host refused it, WaitingSince when the vendor was first seen still
	// waiting for the document of an earlier put.
	UploadExpires time.Time
	UploadGone    bool
	WaitingSince  time.Time
	// NotYetAt is when the vendor last said that it had not finished.
	NotYetAt time.Time
	// Hooked reports that the vendor's webhook came before the end.
	Hooked bool
	// Listed reports that a ready list named it.
	Listed bool
	// PlannedAt is what Due is where the learned schedule has set it.
	PlannedAt time.Time
	// MissingSince is the time of the first 404 of the present row.
	MissingSince time.Time
	// SubmitSeq is its submission's sequence number.
	SubmitSeq SubmitSeq

	VendorID     string
	VendorStatus string
	Polls        int
	CreatedAt    time.Time
	SubmittedAt  time.Time
	FinishedAt   time.Time
	ExpiresAt    time.Time
	// ResultSeq names the result's blob, ID/ResultSeq; 0 if there is none.
	ResultSeq int64
	// ResultSum is its digest; empty where an earlier version stored it.
	ResultSum string
	// RetriedBy is the extraction that repeats this one.
	RetriedBy string
	// DocumentExpiresAt is when the document of a final one goes.
	DocumentExpiresAt time.Time
	Deliveries        Deliveries

	Failure *extraction.Failure
	Trouble *extraction.Trouble
}

// Deliveries are the attempts to tell a producer of the end.
type Deliveries struct {
	// Number is the fence: only the task that carries it may deliver.
	Number int64
	// State is empty before the end.
	State DeliveryState
	// Attempts counts those that were made, Status is the HTTP status of the latest;
	// 0 where there was no answer.
	Attempts, Status int
	// Problem says why the latest attempt did not deliver; empty where it did.
	Problem string
	// Since is when the first of them was due.
	Since time.Time
}

// DeliveryState is how far the deliveries of an extraction are.
type DeliveryState string

// The states of Deliveries.
const (
	DeliveryPending   = DeliveryState(extraction.CallbackPending)
	DeliveryDelivered = DeliveryState(extraction.CallbackDelivered)
	DeliveryFailed    = DeliveryState(extraction.CallbackFailed)
	// DeliveryBusy is never stored: the producer's host had no room for an attempt.
	DeliveryBusy DeliveryState = "busy"
)

// The names of the record's fields in Redis. They are stored: never reuse one.
const (
	fieldStatus         = "st"
	fieldSeq            = "seq"
	fieldStep           = "step"
	fieldBecause        = "bc"
	fieldOwner          = "own"
	fieldLease          = "lease"
	fieldDue            = "due"
	fieldOrphaned       = "orph"
	fieldPhase          = "ph"
	fieldAttempts       = "at"
	fieldSubmitErrors   = "se"
	fieldPollErrors     = "pe"
	fieldFailingSince   = "fs"
	fieldSentAt         = "sent"
	fieldUncertainUntil = "unc"
	fieldSought         = "sk"
	fieldUploadExpires  = "uexp"
	fieldUploadGone     = "ugone"
	fieldWaitingSince   = "wait"
	fieldNotYetAt       = "ny"
	fieldPlannedAt      = "pn"
	fieldMissingSince   = "nf"
	fieldSubmitSeq      = "no"
	fieldHint           = "hint" // Not answered by a question yet.
	fieldHooked         = "hk"
	fieldListed         = "hl"
	fieldHints          = "hn" // How many made a question come sooner,
	fieldHintedAt       = "ht" // and when the latest of those was.
	fieldVendorID       = "vid"
	fieldVendorStatus   = "vs"
	fieldPolls          = "pl"
	fieldCreatedAt      = "cr"
	fieldSubmittedAt    = "sub"
	fieldFinishedAt     = "fin"
	fieldExpiresAt      = "exp"
	fieldResultSeq      = "res"
	fieldResultSum      = "rsum"
	fieldRetriedBy      = "rb"
	fieldCustomer       = "cu" // A digest: it names the counts of its batch, and its place in the line.
	fieldPriority       = "pr"
	fieldCallback       = "cb"
	fieldDocumentEnd    = "dexp"
	fieldDelivery       = "dn"
	fieldDeliveryState  = "ds"
	fieldDeliveries     = "da"
	fieldDeliveryStatus = "dl"
	fieldDeliveredSince = "d0"
	fieldVersion        = "v"

	detailInput   = "in"
	detailFailure = "err"
	detailTrouble = "last"
	detailOver    = "over"
	detailProblem = "cbe"
)

// decodeRecord reads the two hashes of a record. detail may hold the input only.
func decodeRecord(fields, detail map[string]string) (Record, error) {
	var r Record
	if v := number(fields[fieldVersion]); v > recordVersion {
		return r, fmt.Errorf("%w: record version %d, this binary knows %d", ErrNewer, v, recordVersion)
	}
	if err := json.Unmarshal([]byte(detail[detailInput]), &r.Input); err != nil {
		return r, fmt.Errorf("decode record input: %w", err)
	}
	r.Status = extraction.Status(fields[fieldStatus])
	r.Seq = number(fields[fieldSeq])
	r.Step = extraction.Step(fields[fieldStep])
	r.Because = extraction.Because(fields[fieldBecause])
	r.Owner = fields[fieldOwner]
	r.Phase = Phase(fields[fieldPhase])
	r.Attempts = int(number(fields[fieldAttempts]))
	r.SubmitErrors = int(number(fields[fieldSubmitErrors]))
	r.PollErrors = int(number(fields[fieldPollErrors]))
	r.Sought = fields[fieldSought]
	r.UploadGone = fields[fieldUploadGone] != ""
	r.Hooked = fields[fieldHooked] != ""
	r.Listed = fields[fieldListed] != ""
	r.VendorID = fields[fieldVendorID]
	r.VendorStatus = fields[fieldVendorStatus]
	r.Polls = int(number(fields[fieldPolls]))
	r.RetriedBy = fields[fieldRetriedBy]
	r.Deliveries = Deliveries{
		Number: number(fields[fieldDelivery]), State: DeliveryState(fields[fieldDeliveryState]),
		Attempts: int(number(fields[fieldDeliveries])), Status: int(number(fields[fieldDeliveryStatus])),
		Problem: detail[detailProblem],
	}
	r.ResultSeq = number(fields[fieldResultSeq])
	r.ResultSum = fields[fieldResultSum]
	r.SubmitSeq = parseSubmitSeq(fields[fieldSubmitSeq])
	for name, at := range map[string]*time.Time{
		fieldLease: &r.Lease, fieldDue: &r.Due, fieldOrphaned: &r.Orphaned,
		fieldFailingSince: &r.FailingSince, fieldSentAt: &r.SentAt,
		fieldUncertainUntil: &r.UncertainUntil, fieldUploadExpires: &r.UploadExpires,
		fieldWaitingSince: &r.WaitingSince, fieldMissingSince: &r.MissingSince, fieldNotYetAt: &r.NotYetAt, fieldPlannedAt: &r.PlannedAt,
		fieldCreatedAt: &r.CreatedAt, fieldSubmittedAt: &r.SubmittedAt,
		fieldFinishedAt: &r.FinishedAt, fieldExpiresAt: &r.ExpiresAt,
		fieldDocumentEnd: &r.DocumentExpiresAt, fieldDeliveredSince: &r.Deliveries.Since,
	} {
		*at = extraction.FromMillis(number(fields[name])).Time
	}
	if s := detail[detailFailure]; s != "" {
		if err := json.Unmarshal([]byte(s), &r.Failure); err != nil {
			return r, fmt.Errorf("decode record failure: %w", err)
		}
	}
	if s := detail[detailTrouble]; s != "" {
		if err := json.Unmarshal([]byte(s), &r.Trouble); err != nil {
			return r, fmt.Errorf("decode record trouble: %w", err)
		}
		if r.Trouble != nil { // It may be the word null.
			r.Trouble.OverAt = extraction.FromMillis(number(detail[detailOver]))
		}
	}
	return r, nil
}

// number is a decimal field, 0 where it is empty.
func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// Fetching reports whether the result of a SUCCESS is fetched from the vendor once more.
func (r Record) Fetching() bool {
	return r.Status == extraction.StatusSuccess && r.Step == extraction.StepPoll
}

// Settled reports whether an extraction has ended and its result is not being fetched.
func (r Record) Settled() bool { return r.Status.Final() && !r.Fetching() }

// Extraction is the record in its public form, without the result.
func (r Record) Extraction() extraction.Extraction {
	e := extraction.Extraction{
		ID: r.ID, Account: r.Account, Provider: r.Provider,
		Type: extraction.Null(r.Type), Types: r.Types,
		ConfigName: extraction.Null(r.ConfigName), Environment: extraction.Null(r.Environment),
		Customer: extraction.Null(r.Customer), Batch: extraction.Null(r.Batch),
		Priority: r.Priority, Metadata: r.Metadata, Options: r.Options,
		Document: r.Document, Status: r.Status,
		Vendor:      extraction.Vendor{ID: extraction.Null(r.VendorID), Status: extraction.Null(r.VendorStatus)},
		Polls:       r.Polls,
		Attempts:    r.Attempts,
		LastError:   r.Trouble,
		CreatedAt:   extraction.Time{Time: r.CreatedAt},
		SubmittedAt: extraction.Time{Time: r.SubmittedAt},
		FinishedAt:  extraction.Time{Time: r.FinishedAt},
		ExpiresAt:   extraction.Time{Time: r.ExpiresAt},
		RetryOf:     extraction.Null(r.RetryOf),
		RetriedBy:   extraction.Null(r.RetriedBy),
		Error:       r.Failure,
	}
	if u, err := url.Parse(string(r.Document.URL)); err == nil && r.Status.Final() && r.Document.URL != "" {
		u.RawQuery, u.Fragment, u.User = "", "", nil // What signs it is needed no more.
		e.Document.URL = extraction.Null(u.String())
	}
	if e.Metadata == nil {
		e.Metadata = map[string]string{}
	}
	if e.Options == nil {
		e.Options = map[string]any{}
	}
	if e.Priority == "" {
		e.Priority = extraction.PriorityNormal
	}
	if r.Status.Final() && r.Status != extraction.StatusSuccess && e.Error == nil {
		e.Error = extraction.NewFailure(extraction.CodeInternal, "no reason was recorded", nil)
	}
	if r.CallbackURL != "" {
		e.Callback = &extraction.Callback{
			URL: r.CallbackURL, State: extraction.CallbackState(cmp.Or(r.Deliveries.State, DeliveryPending)), Attempts: r.Deliveries.Attempts,
			LastError: extraction.Null(r.Deliveries.Problem),
		}
		if r.Deliveries.Status != 0 {
			e.Callback.LastStatus = &r.Deliveries.Status
		}
		if r.Step == extraction.StepDeliver {
			e.Callback.NextAt = extraction.Time{Time: r.Due}
		}
	}
	if !r.Status.Final() || r.Step == extraction.StepDeliver || r.Fetching() {
		e.Next = &extraction.Next{Step: r.Step, At: extraction.Time{Time: r.Due}, Because: r.Because}
		if r.Owner != "" { // A worker is at it: it waits no longer for what it waited for.
			e.Next.Because = extraction.BecauseScheduled
		}
	}
	return e
}
