//go:build clouds

package cloud

import (
	_ "gocloud.dev/blob/azureblob" // For azblob://.
	_ "gocloud.dev/blob/gcsblob"   // For gs://.
)
