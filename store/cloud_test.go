package store_test

import (
	"github.com/extractq/extractq/internal/s3test"
	"github.com/extractq/extractq/store"
	_ "github.com/extractq/extractq/store/cloud"
)

func init() { store.StartS3(s3test.Start) }
