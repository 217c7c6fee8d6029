package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// modelView is what a Redis ought to hold, as names and values: "key field" of a hash,
// "key member" of an index with its score. What is a digest is only there or not.
type modelView map[string]string

func (v modelView) put(key, field, value string) {
	if value != "" {
		v[key+" "+field] = value
	}
}

func (v modelView) num(key, field string, n int64) {
	if n != 0 {
		v[key+" "+field] = strconv.FormatInt(n, 10)
	}
}

func (v modelView) flag(key, field string, is bool, value string) {
	if is {
		v[key+" "+field] = value
	}
}

// unfinished is how much of the account counts for its backlog.
func (m *model) unfinished() int {
	n := 0
	for _, d := range m.docs {
		if !d.final() {
			n++
		}
	}
	return n
}

func (m *model) inUse(batch string) bool {
	for _, d := range m.docs {
		if d.batch == batch {
			return true
		}
	}
	return false
}

// counted are the names under which the batch of an extraction counts it.
func (d *doc) counted() []string {
	names := []string{string(d.status)}
	if d.customer != "" {
		names = append(names, d.customer+":"+string(d.status))
	}
	return names
}

func add(counts map[string]map[string]int64, batch, name string) {
	if counts[batch] == nil {
		counts[batch] = map[string]int64{}
	}
	counts[batch][name]++
}

// view is the model as Redis ought to hold it.
func (m *model) view(k keys) modelView {
	v, counts := modelView{}, map[string]map[string]int64{}
	for batch, names := range m.erased {
		for name, n := range names {
			for range n {
				add(counts, batch, name)
			}
		}
	}
	for _, d := range m.docs {
		d.view(k, v)
		v.num(k.list(), d.id, d.created)
		v.num(k.due(), d.id, d.look)
		v.num(k.inFlight(), d.id, d.slot)
		v.flag(k.queued(), d.id, d.status == extraction.StatusQueued, fmt.Sprint(d.created))
		v.flag(k.released(), d.id, d.released, fmt.Sprint(d.releasedAt))
		v.flag(k.ready(), d.id, d.final() && !d.collected, fmt.Sprint(d.finished))
		if d.batch != "" {
			v.num(k.batch(d.batch), d.id, d.created)
			for _, name := range d.counted() {
				add(counts, d.batch, name)
			}
		}
	}
	for batch, names := range counts {
		for name, n := range names {
			v.num(k.batchCounts(batch), name, n)
		}
	}
	for key, scores := range map[string]map[string]int64{
		k.tombs(): m.tombs, k.early(): m.early, k.batches(): m.latest, k.emptied(): m.goes, k.turns(): m.line.turns, k.gate(): m.line.present,
	} {
		for member, score := range scores {
			v[key+" "+member] = strconv.FormatInt(score, 10)
		}
	}
	for member := range m.line.at {
		v.put(k.line(), member, "0")
	}
	for vendor, id := range m.vids {
		v.put(k.vendorIDs(), vendor, id)
	}
	for key, entry := range m.idem {
		v.put(k.idempotency(), key, entry)
	}
	return v
}

func (d *doc) view(k keys, v modelView) {
	r, x := k.record(d.id), k.detail(d.id)
	for name, text := range map[string]string{
		fieldStatus: string(d.status), fieldStep: d.step, fieldBecause: d.because, fieldOwner: d.owner, fieldPhase: d.phase,
		fieldVendorID: d.vendor, fieldRetriedBy: d.retriedBy, fieldCustomer: d.customer, fieldDeliveryState: d.deliveries,
		fieldDeliveryStatus: d.answer, fieldVersion: fmt.Sprint(recordVersion), "tok": d.made, "dtok": d.told, "dns": strings.Join(d.outcomes, " "),
	} {
		v.put(r, name, text)
	}
	for name, n := range map[string]int64{
		fieldSeq: d.seq, fieldLease: d.lease, fieldDue: d.due, fieldHints: d.hints, fieldHintedAt: d.hinted, fieldCreatedAt: d.created,
		fieldFinishedAt: d.finished, fieldExpiresAt: d.expires, fieldDocumentEnd: d.documentEnd, fieldDelivery: d.delivery,
		fieldDeliveries: d.attempts, fieldDeliveredSince: d.since, "mk": d.marks, "rn": d.renewals,
	} {
		v.num(r, name, n)
	}
	v.flag(r, fieldPriority, d.bulk, "bulk")
	v.flag(r, fieldCallback, d.callback, "1")
	v.flag(r, fieldHint, d.hint, "1")
	v.flag(r, "bt", d.batch != "", "1")
	v.flag(r, "ltok", d.moved != "", "a digest")
	v.flag(r, "ftok", d.ended != "", "a digest")
	for name, text := range d.data {
		v.put(r, name, text)
	}
	v.put(x, "key", d.key)
	v.put(x, detailInput, "the input")
	for name, text := range d.detail {
		if name == detailFailure {
			text = "a failure"
		}
		v.put(x, name, text)
	}
	v.put(k.upload(d.id), "", d.upload)
}

// held is what a Redis holds of an account, in the same form, but for what is compared
// apart: events, the limiter's state, and how much may be under way.
func (w *walk) held() modelView {
	w.t.Helper()
	ctx, k, v := w.t.Context(), w.k, modelView{}
	names, err := w.rdb.Keys(ctx, "*").Result()
	if err != nil {
		w.rt.Fatal(err)
	}
	cmds := map[string]redis.Cmder{}
	_, err = w.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, name := range names {
			kind := strings.TrimPrefix(name, k.prefix)
			switch {
			case name == accountsKey, name == k.events(), name == k.state(), name == clockKey:
			case strings.HasPrefix(kind, "u:"):
				cmds[name] = p.Get(ctx, name)
			case strings.HasPrefix(kind, "r:"), strings.HasPrefix(kind, "x:"), strings.HasPrefix(kind, "bn:"),
				name == k.gate(), name == k.vendorIDs(), name == k.idempotency():
				cmds[name] = p.HGetAll(ctx, name)
			default:
				cmds[name] = p.ZRangeWithScores(ctx, name, 0, -1)
			}
		}
		return nil
	})
	if err != nil {
		w.rt.Fatalf("read %q: %v", names, err)
	}
	for name, cmd := range cmds {
		switch cmd := cmd.(type) {
		case *redis.StringCmd:
			v.put(name, "", cmd.Val())
		case *redis.MapStringStringCmd:
			for field, value := range cmd.Val() {
				switch {
				case field == "ltok" || field == "ftok":
					value = "a digest"
				case strings.HasPrefix(name, k.detail("")) && field == detailInput:
					value = "the input"
				case strings.HasPrefix(name, k.detail("")) && field == detailFailure:
					value = "a failure"
				case name == k.gate() && (field == "window" || field == "slots" || field == "why"):
					continue
				}
				v[name+" "+field] = value
			}
		case *redis.ZSliceCmd:
			for _, z := range cmd.Val() {
				v[fmt.Sprint(name, " ", z.Member)] = strconv.FormatInt(int64(z.Score), 10)
			}
		}
	}
	return v
}
