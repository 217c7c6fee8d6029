// Package app wires the packages of extractq to a process: providers, Redis and the document
// store, the worker, the API and the dashboard, and what runs beside them. It knows nothing
// of command lines.
package app

import (
	"log/slog"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/metrics"
)

// Process is what a process was started with: its configuration, and what flags and the
// environment say about it.
type Process struct {
	*config.Config

	// DataGiven reports whether a flag, the environment or the file names the document store.
	DataGiven bool
	// Scratch reports that the document store is in a folder of embedded.NewScratch.
	Scratch bool
	// AcceptEmpty accepts an empty Redis beside a document store that has extractions.
	AcceptEmpty bool
	// WaitRedis is how long a server role waits for Redis when it starts; 0 for every other
	// command.
	WaitRedis time.Duration
	// Version is that of the program.
	Version string
	Log     *slog.Logger
	// Metrics are those of a server role; nil for every other command.
	Metrics *metrics.Metrics
	// Reloader is that of a server role; nil for every other command.
	Reloader *Reloader

	// outages is what Log knows of an outage of Redis; nil if it logs everything.
	outages *outageLog
}

// UserAgent is how the process names itself to vendors and to hosts that it calls.
func (p Process) UserAgent() string { return "extractq/" + p.Version }

// StateDir is where data is kept if no document store is named.
func StateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "extractq"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil { // A service or a container may have no HOME; the user database knows it.
		var u *user.User
		if u, err = user.Current(); err == nil {
			home = u.HomeDir
		}
	}
	if err != nil || !filepath.IsAbs(home) {
		return "", errkind.Usagef("there is no place for data, since this user has no home directory: set --data")
	}
	return filepath.Join(home, ".local", "state", "extractq"), nil
}

// DataDir is the directory of a document store, or the state directory if the store has
// none.
func DataDir(dataURL string) (string, error) {
	if u, err := url.Parse(dataURL); err == nil && u.Scheme == "file" {
		return filepath.FromSlash(u.Path), nil
	}
	return StateDir()
}
