// Package cloud lets document stores be in object stores. A program that imports it, if only
// for its effect, can open data.url with s3://, and with the build tag clouds gs:// and
// azblob:// too:
//
//	import _ "github.com/extractq/extractq/store/cloud"
//
// Credentials are found as the vendor's own tools find them: in the environment, in files,
// from the machine's role.
package cloud

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"gocloud.dev/blob"

	"github.com/extractq/extractq/store"
)

func init() {
	store.Drive("s3", open)
	for _, scheme := range []string{"gs", "azblob"} {
		if !blob.DefaultURLMux().ValidBucketScheme(scheme) {
			store.Drive(scheme, func(context.Context, string) (store.Bucket, error) {
				return nil, fmt.Errorf("this program was built without %s://: build it with -tags clouds, as the image is", scheme)
			})
			continue
		}
		store.Drive(scheme, open)
	}
}

// open opens a bucket by its URL. Nothing is asked of it yet.
func open(ctx context.Context, rawURL string) (store.Bucket, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("data.url is not a valid URL")
	}
	q := u.Query()
	if p := q.Get("prefix"); p != "" && !strings.HasSuffix(p, "/") {
		q.Set("prefix", p+"/") // Two prefixes where one begins as the other are two stores.
	}
	if u.Scheme == "s3" {
		// What is read is compared with our own digests, and many stores that only speak the
		// protocol do not know the newer checksums.
		for _, checksums := range []string{"request_checksum_calculation", "response_checksum_validation"} {
			if (q.Get("endpoint") != "" || checksums[:3] == "res") && !q.Has(checksums) {
				q.Set(checksums, "when_required")
			}
		}
	}
	u.RawQuery = q.Encode()
	b, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, err
	}
	return bucket{b}, nil
}
