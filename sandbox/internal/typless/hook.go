package typless

import "encoding/json"

// event is a webhook: that something ended, not how.
type event struct {
	ID   string    `json:"event_id"`
	Time string    `json:"event_time"`
	Data eventData `json:"data"`
	Type string    `json:"type"`
}

type eventData struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

// announce arranges for the webhook of an extraction whose end is known.
// https://typless.gitbook.io/typlessapi/typless-hub/webhooks
func (a *api) announce(id string) {
	x, ok := a.Engine.Peek(id)
	if !ok || a.WebhookURL == "" {
		return
	}
	finished := x.Finished // not x, which holds the document
	a.Hooks.Schedule(a.WebhookURL, finished, func() []byte {
		body, _ := json.Marshal(event{ // strings only
			ID:   newID(),
			Time: finished.UTC().Format("2006-01-02T15:04:05.000000"), // without a zone, as documented
			Data: eventData{ID: id, Message: "Extraction process finished"},
			Type: "extraction.finished",
		})
		return body
	})
}
