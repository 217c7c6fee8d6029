package tasks

import (
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/store"
)

// Errors of Submit for a submission that must be changed. They, and others without a name,
// wrap extraction.ErrInvalid: repeating the same submission does not help.
var (
	// ErrUnknownAccount: no worker has ever served this account. Its first worker may still
	// start.
	ErrUnknownAccount = intake.ErrUnknownAccount
	// ErrURLRefused: URL or CallbackURL leads to a private address, or is malformed.
	ErrURLRefused = intake.ErrURLRefused
	// ErrMediaType: the vendor does not accept documents of this kind.
	ErrMediaType = intake.ErrMediaType
	// ErrMismatch: the document is not of its ContentType.
	ErrMismatch = intake.ErrMismatch
	// ErrEmpty: the document has no bytes.
	ErrEmpty = intake.ErrEmpty
	// ErrTooLarge: the document is larger than the workers allow.
	ErrTooLarge = store.ErrTooLarge
)

// Errors of Submit for a well-formed submission.
var (
	// ErrExists: an extraction with this id was accepted before.
	ErrExists = store.ErrExists
	// ErrTaken: another document was accepted under this id.
	ErrTaken = store.ErrTaken
	// ErrErased: the extraction with this id was deleted, or its retention is over.
	ErrErased = store.ErrErased
	// ErrBacklog: the account accepts no more until some of its extractions have ended.
	ErrBacklog = store.ErrBacklog
)

// ErrNotFound is returned by Get and Wait for an unknown id.
var ErrNotFound = store.ErrNotFound

// Errors of Open, and of a Client later: Redis and the document store are not the pair that
// the workers use.
var (
	// ErrOtherStore: the document store belongs to another Redis.
	ErrOtherStore = store.ErrOtherStore
	// ErrEmptyRedis: the Redis holds nothing, but the document store holds extractions.
	ErrEmptyRedis = store.ErrEmptyRedis
	// ErrRedisLost: since Open, Redis has lost its data or was replaced.
	ErrRedisLost = store.ErrRedisLost
	// ErrStoreGone: the folder of the document store is gone or was replaced.
	ErrStoreGone = store.ErrStoreGone
)
