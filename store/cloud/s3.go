package cloud

import _ "gocloud.dev/blob/s3blob" // For s3://.
