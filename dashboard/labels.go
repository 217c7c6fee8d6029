package dashboard

import (
	"encoding/json"
	"unicode"
	"unicode/utf8"

	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// hidden is shown in place of what is not known to be labels: another program's
// task, or another version's.
const hidden = "(not shown)"

// maxLabel is above the longest label there is, in bytes.
const maxLabel = 1024

// step is what is shown of a task of one extraction.
type step struct {
	ID           string `json:"id"`
	Account      string `json:"account"`
	Type         string `json:"type"`
	Customer     string `json:"customer"`
	Batch        string `json:"batch"`
	Polls        int    `json:"polls"`
	VendorStatus string `json:"vendor_status"`
}

// formatPayload is what the UI shows of a task's payload: the labels, and
// nothing that anyone else might have put there.
func formatPayload(kind string, payload []byte) string {
	switch kind {
	case queue.TypeSubmit, queue.TypePoll, queue.TypeDeliver:
		var s step
		if json.Unmarshal(payload, &s) != nil {
			return hidden
		}
		s.ID, s.Account, s.Type = label(s.ID), label(s.Account), label(s.Type)
		s.Customer, s.Batch, s.VendorStatus = label(s.Customer), label(s.Batch), store.Label(s.VendorStatus)
		return show(s)
	}
	return hidden
}

// formatResult is what the UI shows of a completed task's result.
func formatResult(kind string, result []byte) string {
	if len(result) == 0 {
		return ""
	}
	if kind != queue.TypeSubmit && kind != queue.TypePoll && kind != queue.TypeDeliver {
		return hidden
	}
	var o queue.Outcome
	if json.Unmarshal(result, &o) != nil || !o.Status.Final() {
		return hidden
	}
	o.ErrorCode = ifWord(o.ErrorCode)
	return show(o)
}

// label is a label as it is shown: one that no extraction can have is not.
func label(s string) string {
	if len(s) > maxLabel || !utf8.ValidString(s) {
		return hidden
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return hidden
		}
	}
	return s
}

// ifWord is a code as it is shown: one that is no lower_snake word is not.
func ifWord[T ~string](s T) T {
	for _, r := range s {
		if (r < 'a' || r > 'z') && r != '_' || len(s) > 40 {
			return hidden
		}
	}
	return s
}

func show(v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // Strings and numbers always encode.
	}
	return string(body)
}
