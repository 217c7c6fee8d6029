package tasks_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
)

// Another service hands a document over. What Submit has accepted survives a
// crash of everything; some worker carries it to a final status.
func ExampleClient_Submit() {
	server, err := miniredis.Run() // Stands for the Redis that the workers use.
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx := context.Background()
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr(), DisableIdentity: true})
	defer func() { _ = rdb.Close() }()
	blobs, err := store.OpenBlobs(ctx, "mem://") // A file:// URL in earnest.
	if err != nil {
		log.Fatal(err)
	}
	client, err := tasks.NewClient(tasks.Config{Redis: rdb, Blobs: blobs})
	if err != nil {
		log.Fatal(err)
	}
	e, err := client.Submit(ctx, tasks.Submission{
		Account:  "acme-sensible",
		Provider: "sensible",
		Type:     "tax_forms",
		Batch:    "may",
		Name:     "1040.pdf",
		Document: strings.NewReader("%PDF-1.7 …"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Status, e.Document.ContentType, *e.Document.Bytes)
	// Output: QUEUED application/pdf 12
}
