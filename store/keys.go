// Package store keeps what must not be lost: the record of every extraction
// and the due index in Redis, documents and results in a blob bucket.
//
// Records change only through the Lua scripts beside this file. Each script
// takes its time from Redis, may be sent twice with the same effect, and refuses
// to act for a caller that no longer holds the extraction. Nothing here knows
// asynq: a record says which step is due, and the task that carries it out can
// always be made again from the record.
package store

// recordVersion is written to every record; a binary refuses newer ones.
const recordVersion = 1

// accountsKey is the set of all accounts that ever had an extraction.
const accountsKey = "extractq:accounts"

// keys are the Redis keys of one account. They share the account's hash tag, so
// that one script may touch several of them on a Redis Cluster.
type keys struct{ prefix string }

func accountKeys(account string) keys {
	return keys{prefix: "extractq:{" + account + "}:"}
}

// AccountKey is the key of something that another package keeps for an account, beside its
// records. All of an account's keys share one hash tag.
func AccountKey(account, name string) string { return accountKeys(account).prefix + name }

// record is the hash of an extraction's small, changing fields. No field may
// exceed 64 bytes: one that does costs the whole record its compact encoding.
func (k keys) record(id string) string { return k.prefix + "r:" + id }

// detail is the hash of what is larger or personal: the input, errors.
func (k keys) detail(id string) string { return k.prefix + "x:" + id }

// upload holds a signed upload URL, which is a secret with a life of its own.
func (k keys) upload(id string) string { return k.prefix + "u:" + id }

// due is the index of when a worker must look at an extraction again.
func (k keys) due() string { return k.prefix + "due" }

// list orders all extractions by creation.
func (k keys) list() string { return k.prefix + "list" }

// inFlight are the extractions that hold one of the account's slots.
func (k keys) inFlight() string { return k.prefix + "inflight" }

// queued are the extractions that wait for their submission, by creation.
func (k keys) queued() string { return k.prefix + "queued" }

// vendorIDs maps a vendor's id to ours.
func (k keys) vendorIDs() string { return k.prefix + "vids" }

// early are vendor ids that a hook named before a record had them, by when.
func (k keys) early() string { return k.prefix + "early" }

// ready are final extractions that are not acknowledged.
func (k keys) ready() string { return k.prefix + "ready" }

// events is the bounded stream of status changes.
func (k keys) events() string { return k.prefix + "ev" }

// foreign are vendor ids that were looked at and are not ours.
func (k keys) foreign() string { return k.prefix + "foreign" }

// unnamed are listed vendor ids of which the vendor does not tell the name, by when a
// search first came across them.
func (k keys) unnamed() string { return k.prefix + "unnamed" }

// strays are entries TOKEN VENDOR-ID, by name and therefore by age: what the vendor lists
// under the token of an extraction whose record is gone, or is another installation's.
func (k keys) strays() string { return k.prefix + "strays" }

// tombs are the ids of what was erased, by when they may be forgotten.
func (k keys) tombs() string { return k.prefix + "tombs" }

// idempotency maps an idempotency key to its extraction and the fingerprint of
// the request.
func (k keys) idempotency() string { return k.prefix + "idem" }

// ticks says which slot of time each maintenance duty of the account was last
// claimed for.
func (k keys) ticks() string { return k.prefix + "ticks" }

// batches orders the names of batches by their latest extraction.
func (k keys) batches() string { return k.prefix + "batches" }

// emptied are the names of batches without a record, by when their counts go.
func (k keys) emptied() string { return k.prefix + "emptied" }

// gate is how many submissions may be under way and whose turn it is, line are
// those that wait for their turn, turns is whose is when, released are those that
// have it and have not called the vendor yet.
func (k keys) gate() string     { return k.prefix + "gate" }
func (k keys) line() string     { return k.prefix + "line" }
func (k keys) turns() string    { return k.prefix + "turns" }
func (k keys) released() string { return k.prefix + "released" }

// state is the limiter's: while the account is paused, nothing is released.
func (k keys) state() string { return k.prefix + "account" }

// run has what a run of the command line has in flight, by a digest of where it runs.
func (k keys) run(name string) string { return k.prefix + "run:" + name }

// batch is the index of one batch, batchCounts its counts by status.
func (k keys) batch(name string) string       { return k.prefix + "b:" + name }
func (k keys) batchCounts(name string) string { return k.prefix + "bn:" + name }
