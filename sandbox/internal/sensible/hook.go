package sensible

import "encoding/json"

// announce arranges for the webhook of an extraction whose end is known: the same
// object that a poll gives, when it is final.
// https://docs.sensible.so/reference/webhooks
func (a *api) announce(id string) {
	x, ok := a.Engine.Peek(id)
	if !ok || x.Meta.Webhook == nil {
		return
	}
	a.Hooks.Schedule(x.Meta.Webhook.URL, x.Finished, func() []byte {
		// Not what was peeked at: until then the document would be kept twice. A
		// result that is gone at its end was there for a moment, and was sent.
		x, ok := a.Engine.Peek(id)
		if !ok {
			return nil
		}
		body, _ := json.Marshal(a.full(x, x.Meta.Base)) // what came as JSON can be written as JSON
		return body
	})
}
