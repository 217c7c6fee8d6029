// Package config reads the one configuration file: strictly, so that a
// misspelled key is an error and not a default, and completely, so that one
// attempt shows everything that is wrong, each with file, line and key.
//
// No error of this package repeats a value: it might be a secret in the wrong
// place. The package knows no provider; the caller says which there are.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/extractq/extractq/internal/address"
)

// DefaultFile is the file that is used where it exists and none was named.
const DefaultFile = "extractq.yaml"

// maxFile bounds the file: a thousand accounts need a quarter of it.
const maxFile = 1 << 20

// Config is everything the file can say, with the defaults filled in. A running process
// takes over what changes, except for the fields that are tagged reload:"restart".
type Config struct {
	Redis     Redis `reload:"restart"`
	Data      Data  `reload:"restart"`
	API       API
	Callbacks Callbacks
	Fetch     Fetch
	Admin     Admin  `reload:"restart"`
	Worker    Worker `reload:"restart"`
	// Accounts are sorted by name. Where the file has none, they come from the
	// environment; see Provider.
	Accounts []Account

	providers []Provider
}

// Redis says where the queues and records are.
type Redis = address.Server

// Data says where documents and results are, and for how long.
type Data struct {
	// URL says where: file:///DIR, mem://, s3://BUCKET?prefix=P/&region=R; in the image and
	// with the build tag clouds also gs://BUCKET and azblob://CONTAINER. Empty means a
	// directory in the user's state directory.
	URL string
	// Retention is how long everything of a finished extraction is kept, from
	// finished_at. Default 168h; at least 1m, so that a result can be fetched.
	Retention time.Duration
	// DocumentRetention is how long the document of a SUCCESS or CANCELED
	// extraction is kept, from finished_at. Default 24h, never longer than
	// Retention; 0s erases it at once.
	DocumentRetention time.Duration
}

// Callbacks are our requests to producers.
type Callbacks struct {
	// Secret signs them: whsec_ and base64 of 24 to 64 bytes.
	Secret Secret
	// PreviousSecret signs them as well, during a rotation.
	PreviousSecret Secret
	// AllowHosts are the internal names (*.suffix too), addresses and CIDRs
	// that a callback may reach nevertheless.
	AllowHosts []string `reload:"restart"`
}

// Fetch is the download of documents that were given as a URL.
type Fetch struct {
	// AllowHosts are the internal names (*.suffix too), addresses and CIDRs
	// that a document may come from nevertheless.
	AllowHosts []string `reload:"restart"`
}

// Admin is the port for health and metrics that every role has.
type Admin struct {
	// Listen is the address, "host:port". Default 127.0.0.1:9464; set to
	// nothing ("") it is off.
	Listen string
}

// Worker is the process that talks to the vendors.
type Worker struct {
	// Concurrency is the number of tasks at once, per account and process.
	// Default 32; at most 1024, since each may hold a connection to Redis.
	Concurrency int
}

// Provider is what Load must know about a provider.
type Provider struct {
	// Name is the word for it in the file.
	Name string
	// KeyEnv is the environment variable that makes an account, called like the
	// provider, where the file has no accounts at all; empty if there is none.
	KeyEnv string
	// Keyless providers need no key, and no account in the file either.
	Keyless bool
}

// Options are what Load needs besides the file.
type Options struct {
	// Providers are the providers there are.
	Providers []Provider
	// LookupEnv finds environment variables; nil means os.LookupEnv.
	LookupEnv func(string) (string, bool)
}

// Default is the configuration of an empty file, without accounts.
func Default() *Config {
	return &Config{
		Data:   Data{Retention: 168 * time.Hour, DocumentRetention: 24 * time.Hour},
		API:    API{Listen: "127.0.0.1:8080", MaxDocument: 100 << 20},
		Admin:  Admin{Listen: "127.0.0.1:9464"},
		Worker: Worker{Concurrency: 32},
	}
}

// Load reads the file at path; with an empty path it gives the defaults and
// the accounts of the environment. Its error joins everything that is wrong.
func Load(path string, o Options) (*Config, error) {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	var source []byte
	if path != "" {
		var err error
		if source, err = readFile(path); err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
	}
	return parse(path, source, o)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	source, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(source) > maxFile {
		return nil, &Problem{File: path, Err: errors.New("is larger than 1 MiB")}
	}
	source = bytes.TrimPrefix(source, []byte("\ufeff"))
	// The parser miscounts the lines of a block text that ends in CR LF.
	return bytes.ReplaceAll(source, []byte("\r\n"), []byte("\n")), nil
}
