package store

import "testing"

// startS3 is set by the tests outside of the package: drivers import it.
var startS3 func(testing.TB) string

// StartS3 says how a test gets an object store.
func StartS3(start func(testing.TB) string) { startS3 = start }
