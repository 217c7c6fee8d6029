// Command submit submits a document, waits for its end and prints the result as JSON.
//
//	EXTRACTQ_SERVER=http://127.0.0.1:8080 \
//	    go run ./examples/go/submit tax_forms examples/tax_form.pdf
//
// The Idempotency-Key is made of what is asked: the same command again, after whatever
// has happened, gives the same extraction and never a second one.
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/extractq/extractq/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: submit TYPE DOCUMENT, not %q", args)
	}
	documentType, path := args[0], args[1]
	c, err := client.New(client.Config{
		URL: cmp.Or(os.Getenv("EXTRACTQ_SERVER"), "http://127.0.0.1:8080"),
		Key: os.Getenv("EXTRACTQ_API_KEY"),
	})
	if err != nil {
		return err
	}
	key, err := digest(documentType, path)
	if err != nil {
		return err
	}
	// Submit and Wait repeat their calls while the server is away or busy.
	e, err := c.Submit(ctx, client.Submission{
		Source:         client.File(path),
		Fields:         client.Fields{Type: documentType},
		IdempotencyKey: key,
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "submitted:", e.ID)
	if e, err = c.Wait(ctx, e.ID); err != nil {
		return err
	}
	if e.Error != nil {
		return fmt.Errorf("%s: %s: %s", e.Status, e.Error.Code, e.Error.Message)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(e.Result)
}

// digest is the SHA-256 of a document and its type, in hexadecimal.
func digest(documentType, path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // The document is the user's.
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, _ = io.WriteString(sum, documentType+"\n")
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
