// Package serve runs an HTTP server until it is told to stop: with the limits
// that keep a slow or silent client from holding a connection forever, and with
// an end that lets the requests under way finish.
package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The limits of a connection. A handler that answers more slowly, as an event
// stream does, moves its own deadline with http.ResponseController.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// grace is how long requests under way may take once the server is told to
// stop: long enough for most documents on their way in, and below the 30 s after
// which a supervisor loses its patience.
const grace = 20 * time.Second

// Until answers on listener until ctx ends, and lets the requests under way
// finish. It returns nil after such a stop, and closes the listener in any case.
func Until(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		// What a client did wrong is not the operator's trouble.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	var failure error
	served := make(chan struct{})
	go func() {
		defer close(served)
		failure = server.Serve(listener)
	}()
	select {
	case <-served:
		return failure
	case <-ctx.Done():
	}
	// ctx has ended: the last requests need a time of their own.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-served
	return err
}
