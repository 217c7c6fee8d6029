package main

import _ "github.com/extractq/extractq/store/cloud" // For data.url with s3://.
