package store

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
)

// auditCase is a way to break one invariant: what makes an extraction for which it holds, and
// what breaks it behind the scripts' back.
type auditCase struct {
	holds string
	make  func(*rig) Fence
	spoil func(*rig, Fence)
}

// TestAuditSeesWhatIsBroken breaks each invariant that audit.lua names.
func TestAuditSeesWhatIsBroken(t *testing.T) {
	t.Parallel()
	text, err := lua.ReadFile("audit.lua")
	if err != nil {
		t.Fatal(err)
	}
	unseen := map[string]bool{}
	for _, m := range regexp.MustCompile(`want\('([^']+)'`).FindAllStringSubmatch(string(text), -1) {
		unseen[m[1]] = true
	}
	for _, tt := range auditCases() {
		t.Run(tt.holds, func(t *testing.T) {
			r := newRig(t)
			f := tt.make(r)
			if broken := r.broken(f); len(broken) > 0 {
				t.Fatalf("before anything is broken: %q", broken)
			}
			tt.spoil(r, f)
			if broken := r.broken(f); !slices.Contains(broken, tt.holds) {
				t.Errorf("broken: %q, want among them %q", broken, tt.holds)
			}
		})
		maps.DeleteFunc(unseen, func(what string, _ bool) bool { return strings.HasPrefix(tt.holds, what) })
	}
	if len(unseen) > 0 {
		t.Errorf("no case breaks %q", slices.Sorted(maps.Keys(unseen)))
	}
}

// broken is what Audit says of an extraction, but for its document.
func (r *rig) broken(f Fence) []string {
	r.t.Helper()
	b, err := OpenBlobs(r.t.Context(), "mem://")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	got, err := r.s.Audit(r.t.Context(), "acme", b)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, v := range got.Violations {
		if v.ID == f.Input.ID && !strings.Contains(v.Broken, "in the document store") {
			out = append(out, v.Broken)
		}
	}
	return out
}

// standing makes an extraction that stands in the line.
func (r *rig) standing() Fence {
	r.window(Window{})
	return r.create()
}

// gone makes an extraction and erases it.
func (r *rig) gone() Fence {
	f := r.finished(extraction.StatusSuccess)
	r.want("Erase", r.s.Erase(r.t.Context(), f.Input, true, testKept), nil)
	return f
}

// toldOf makes one that has ended and whose producer is to be told.
func (r *rig) toldOf() Fence {
	in := testInput()
	in.CallbackURL = "https://producer.test/"
	return r.canceled(in, Creation{Token: NewToken()})
}

func (r *rig) keyed() Fence {
	return r.canceled(testInput(), Creation{Token: NewToken(), Key: "k"})
}

// canceled creates an extraction and cancels it.
func (r *rig) canceled(in Input, c Creation) Fence {
	r.t.Helper()
	if _, err := r.s.Create(r.t.Context(), in, c); err != nil {
		r.t.Fatal(err)
	}
	r.want("Cancel", r.s.Cancel(r.t.Context(), in, NewToken(), testKept), nil)
	return Fence{Input: in, Seq: 2, Token: NewToken()}
}

func auditCases() []auditCase {
	succeeded := func(r *rig) Fence { return r.finished(extraction.StatusSuccess) }
	held := func(r *rig) Fence { return r.begin(r.create()).Fence }
	in := func(index func(keys) string) func(*rig, Fence) {
		return func(r *rig, f Fence) {
			r.rdb.ZAdd(r.t.Context(), index(r.k), z(float64(time.Now().UnixMilli()), f.Input.ID))
		}
	}
	out := func(index func(keys) string) func(*rig, Fence) {
		return func(r *rig, f Fence) { r.rdb.ZRem(r.t.Context(), index(r.k), f.Input.ID) }
	}
	has := func(pairs ...any) func(*rig, Fence) {
		return func(r *rig, f Fence) { r.hset(f, pairs...) }
	}
	lacks := func(field string) func(*rig, Fence) {
		return func(r *rig, f Fence) { r.rdb.HDel(r.t.Context(), r.k.record(f.Input.ID), field) }
	}
	url := func(r *rig, f Fence) { r.rdb.Set(r.t.Context(), r.k.upload(f.Input.ID), "https://u.test/", 0) }
	led := func(r *rig, f Fence) { r.rdb.HSet(r.t.Context(), r.k.vendorIDs(), "v-stray", f.Input.ID) }
	keyed := func(r *rig, f Fence) { r.rdb.HSet(r.t.Context(), r.k.idempotency(), "k-stray", f.Input.ID+" print") }
	const erased = "what is erased is not in the index: "
	return []auditCase{
		{erased + "due", (*rig).gone, in(keys.due)},
		{erased + "list", (*rig).gone, in(keys.list)},
		{erased + "in flight", (*rig).gone, in(keys.inFlight)},
		{erased + "queued", (*rig).gone, in(keys.queued)},
		{erased + "ready", (*rig).gone, in(keys.ready)},
		{erased + "released", (*rig).gone, in(keys.released)},
		{"what is erased has no detail and no upload URL", (*rig).gone, func(r *rig, f Fence) {
			in(keys.list)(r, f) // By which it is found.
			url(r, f)
		}},
		{"a vendor id that leads to it is its own", (*rig).gone, led},
		{"a vendor id that leads to it is its own", (*rig).polling, led},
		{"an idempotency key that leads to it is its own", (*rig).gone, keyed},
		{"an idempotency key that leads to it is its own", (*rig).keyed, keyed},
		{"its idempotency key leads to it", (*rig).keyed, func(r *rig, _ Fence) { r.rdb.Del(r.t.Context(), r.k.idempotency()) }},
		{"its vendor id leads to it", (*rig).polling, func(r *rig, _ Fence) { r.rdb.Del(r.t.Context(), r.k.vendorIDs()) }},
		{"a webhook that named its vendor id has reached it", (*rig).polling, func(r *rig, f Fence) {
			r.rdb.ZAdd(r.t.Context(), r.k.early(), z(1, r.get(f).VendorID))
		}},
		{"it is in the list", (*rig).polling, out(keys.list)},
		{"it has its input", (*rig).polling, func(r *rig, f Fence) { r.rdb.Del(r.t.Context(), r.k.detail(f.Input.ID)) }},
		{"it is in the index of its batch", (*rig).polling, func(r *rig, _ Fence) { r.rdb.Del(r.t.Context(), r.k.batch("b1")) }},
		{"it is due, or stands in the line, and not both", (*rig).polling, out(keys.due)},
		{"it is due, or stands in the line, and not both", (*rig).standing, in(keys.due)},
		{"who stands in the line has a turn", (*rig).standing, func(r *rig, _ Fence) { r.rdb.Del(r.t.Context(), r.k.turns()) }},
		{"a lease has an owner and an end", held, lacks(fieldLease)},
		{"a lease has an owner and an end", held, lacks(fieldOwner)},
		{"a lease that ends is seen", held, func(r *rig, f Fence) {
			r.rdb.ZIncrBy(r.t.Context(), r.k.due(), 1, f.Input.ID)
		}},
		{"a final status has no lease", succeeded, has(fieldOwner, "somebody", fieldLease, time.Now().Add(time.Hour).UnixMilli())},
		{"it holds a slot while it is submitted or in progress", held, out(keys.inFlight)},
		{"it holds a slot while it is submitted or in progress", (*rig).polling, out(keys.inFlight)},
		{"it holds a slot while it is submitted or in progress", succeeded, in(keys.inFlight)},
		{"it is queued until it is submitted", (*rig).create, out(keys.queued)},
		{"it is queued until it is submitted", held, in(keys.queued)},
		{"only what is queued stands in the line", (*rig).polling, func(r *rig, f Fence) {
			r.rdb.ZAdd(r.t.Context(), r.k.line(), z(0, "n/"+f.Input.ID))
		}},
		{"only what is to be submitted is released", (*rig).polling, in(keys.released)},
		{"only what is final is ready", (*rig).polling, in(keys.ready)},
		{"its end is written once, and whole", succeeded, lacks(fieldFinishedAt)},
		{"its end is written once, and whole", succeeded, lacks(fieldExpiresAt)},
		{"its end is written once, and whole", succeeded, lacks(fieldDocumentEnd)},
		{"its end is written once, and whole", (*rig).polling, has(fieldFinishedAt, 1, fieldExpiresAt, 1, fieldDocumentEnd, 1)},
		{"what has ended is in no phase, and waits for no hint", succeeded, has(fieldPhase, "sent")},
		{"what has ended is in no phase, and waits for no hint", succeeded, has(fieldHint, 1)},
		{"what has ended has no upload URL", succeeded, url},
		{"a success has its result", succeeded, lacks(fieldResultSeq)},
		{"it has a step until its end", (*rig).polling, lacks(fieldStep)},
		{"a delivery is due while it is pending", (*rig).toldOf, lacks(fieldStep)},
		{"a delivery is due while it is pending", (*rig).toldOf, has(fieldDeliveryState, "delivered")},
		{"a producer that asked for a callback gets one", succeeded, has(fieldCallback, 1)},
		{"a delivery has a number, and a time since when", (*rig).toldOf, lacks(fieldDelivery)},
		{"a delivery has a number, and a time since when", (*rig).toldOf, lacks(fieldDeliveredSince)},
		{"what is repeated has ended", (*rig).polling, has(fieldRetriedBy, "another")},
	}
}
