// Generate writes the notices of the modules that extractq is built from to a file.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/extractq/extractq/internal/notices"
)

func main() {
	text, err := notices.Text(context.Background(), "../../cmd/extractq")
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
