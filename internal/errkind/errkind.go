// Package errkind marks an error with its kind, which tells a caller what to do about it.
// A command turns the kind into its exit code. An error without a kind is about one
// document or one extraction; whatever returns an error with a kind ends there.
package errkind

import (
	"errors"
	"fmt"
)

// Kind is what a caller can do about an error.
type Kind int

const (
	// None is the kind of an error that has not been marked.
	None Kind = iota
	// Failed means that the work was done and did not succeed.
	Failed
	// Usage means that the request or the configuration is wrong and has to be changed.
	Usage
	// Unavailable means that a service that all of the work needs does not respond. The
	// same request may succeed later.
	Unavailable
	// Timeout means that the time the caller allowed has passed.
	Timeout
)

// ErrReported says that the user has been told what is wrong. Only the kind matters.
var ErrReported = errors.New("already reported")

// Error is an error with its kind.
type Error struct {
	Kind Kind
	Err  error
}

// New marks an error.
func New(k Kind, err error) error { return Error{k, err} }

// Usagef returns an error of kind Usage.
func Usagef(format string, args ...any) error { return Error{Usage, fmt.Errorf(format, args...)} }

// MarkUnavailable marks an error with the kind Unavailable; nil stays nil.
func MarkUnavailable(err error) error {
	if err == nil {
		return nil
	}
	return Error{Unavailable, err}
}

// Error implements error.
func (e Error) Error() string { return e.Err.Error() }

// Unwrap returns the error without its mark.
func (e Error) Unwrap() error { return e.Err }

// Of returns the kind of an error: that of the outermost mark, or None.
func Of(err error) Kind {
	if e, ok := errors.AsType[Error](err); ok {
		return e.Kind
	}
	return None
}
