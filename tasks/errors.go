package tasks

import (
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/store"
)

// Why a submission is refused. What is wrong with the submission itself wraps
// extraction.ErrInvalid: sending it again does not help. Some of that has a name.
var (
	// ErrUnknownAccount: no worker has ever had this account. Its first may come yet.
	ErrUnknownAccount = intake.ErrUnknownAccount
	// ErrURLRefused: URL or CallbackURL leads to a private address, or nowhere.
	ErrURLRefused = intake.ErrURLRefused
	// ErrMediaType: the vendor does not take documents of this kind.
	ErrMediaType = intake.ErrMediaType
	// ErrMismatch: the document is not what its ContentType says.
	ErrMismatch = intake.ErrMismatch
	// ErrEmpty: the document has no bytes.
	ErrEmpty = intake.ErrEmpty
	// ErrTooLarge: the document is larger than the workers allow.
	ErrTooLarge = store.ErrTooLarge
)

// Why a submission is refused that is well formed.
var (
	// ErrExists: an extraction with this id was accepted before.
	ErrExists = store.ErrExists
	// ErrTaken: another document was accepted under this id.
	ErrTaken = store.ErrTaken
	// ErrErased: the extraction with this id was deleted, or its retention is over.
	ErrErased = store.ErrErased
	// ErrBacklog: the account takes no more until some of its extractions have ended.
	ErrBacklog = store.ErrBacklog
)

// ErrNotFound is returned by Get and Wait for an id that names no extraction.
var ErrNotFound = store.ErrNotFound

// Why Open fails, or a client takes nothing any more: Redis and the document store are not
// the pair that the workers use.
var (
	// ErrOtherStore: the document store belongs to another Redis.
	ErrOtherStore = store.ErrOtherStore
	// ErrEmptyRedis: the Redis holds nothing, but the document store holds extractions.
	ErrEmptyRedis = store.ErrEmptyRedis
	// ErrRedisLost: the Redis has lost its data, or another has taken its place, since Open.
	ErrRedisLost = store.ErrRedisLost
	// ErrStoreGone: the document store's folder is gone, or another is in its place.
	ErrStoreGone = store.ErrStoreGone
)
