package tasks_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/tasks"
)

// Another service hands a document over and waits for what was read in it. What Submit
// has accepted survives a crash of everything; some worker carries it to a final status.
func ExampleOpen() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	// The two addresses of the workers' configuration, word for word.
	cfg := tasks.Config{Redis: "redis://queue:6379/0", Data: "file:///srv/extractq"}
	e, err := extract(ctx, cfg, "1040.pdf")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Status, e.Result.Fields["ssn"])
}

// extract takes one file through extractq. A service that has many opens one client for
// all of them.
func extract(ctx context.Context, cfg tasks.Config, name string) (extraction.Extraction, error) {
	client, err := tasks.Open(ctx, cfg)
	if err != nil {
		return extraction.Extraction{}, err
	}
	defer func() { _ = client.Close() }()
	document, err := os.Open(name)
	if err != nil {
		return extraction.Extraction{}, err
	}
	defer func() { _ = document.Close() }()
	e, err := client.Submit(ctx, tasks.Submission{
		Account:  "acme-sensible",
		Type:     "tax_forms",
		Batch:    "may",
		Name:     filepath.Base(name),
		Document: document,
	})
	if err != nil {
		return extraction.Extraction{}, err
	}
	return client.Wait(ctx, e.ID)
}
