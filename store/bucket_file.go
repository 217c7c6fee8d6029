package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"

	"github.com/oklog/ulid/v2"

	"github.com/extractq/extractq/internal/crash"
)

// fileBucket is a bucket in a directory that only its owner may read.
type fileBucket struct{ dir string }

func openFileBucket(dir string) (fileBucket, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fileBucket{}, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fileBucket{}, err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	return fileBucket{dir: dir}, err
}

// path is the file of a blob.
func (f fileBucket) path(key string) (string, error) {
	name, err := filepath.Localize(key)
	if err != nil || name == "." {
		return "", fmt.Errorf("%q is no key of a blob", key)
	}
	return filepath.Join(f.dir, name), nil
}

func (f fileBucket) Open(_ context.Context, key string) (io.ReadCloser, int64, error) {
	name, err := f.path(key)
	if err != nil {
		return nil, 0, err
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// write fills a draft beside the file and renames it: a directory for drafts could be on
// another device.
func (f fileBucket) Write(_ context.Context, key string, once bool, from func(io.Writer) error) error {
	name, err := f.path(key)
	if err != nil {
		return err
	}
	draft, err := f.draft(name)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }() // It is gone where it was renamed.
	err = from(draft)
	if err == nil {
		err = draft.Sync()
	}
	if closeErr := draft.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return err
	case once:
		err = link(draft.Name(), name)
	default:
		err = os.Rename(draft.Name(), name)
	}
	if err != nil {
		return err
	}
	// The name is in the folder, and the folder's in the directory.
	return errors.Join(syncDir(filepath.Dir(name)), syncDir(f.dir))
}

// draft makes a file beside name, and the folder where that is missing or, as an empty one,
// is being removed. It never makes the directory of the bucket: one that is gone was taken
// away.
func (f fileBucket) draft(name string) (file *os.File, err error) {
	folder := filepath.Dir(name)
	for range 100 {
		file, err = os.OpenFile(name+"."+NewToken()+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrNotExist) || folder == f.dir {
			return file, err
		}
		if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, err
}

// link gives a draft its name unless that is taken. To look first and rename then would
// replace what another process writes in between.
func link(draft, name string) error {
	crash.Before("blob link")
	defer crash.After("blob link")
	err := os.Link(draft, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without links.
	switch _, err := os.Lstat(name); {
	case err == nil:
		return fs.ErrExist
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return os.Rename(draft, name)
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (f fileBucket) Remove(_ context.Context, key string) error {
	name, err := f.path(key)
	if err != nil {
		return err
	}
	return os.Remove(name)
}

func (f fileBucket) Stat(_ context.Context, key string) (BlobInfo, error) {
	name, err := f.path(key)
	if err != nil {
		return BlobInfo{}, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return BlobInfo{}, err
	}
	return BlobInfo{Key: key, ModTime: info.ModTime(), Size: info.Size()}, nil
}

func (f fileBucket) List(ctx context.Context, folder string) iter.Seq2[BlobInfo, error] {
	return func(yield func(BlobInfo, error) bool) {
		entries, err := f.entries(folder)
		if err != nil {
			yield(BlobInfo{}, err)
			return
		}
		for _, e := range entries {
			inside := []BlobInfo{e.BlobInfo}
			if e.folder {
				inside, err = f.inside(e.Key)
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				yield(BlobInfo{}, err)
				return
			}
			for _, info := range inside {
				if !yield(info, nil) {
					return
				}
			}
		}
	}
}

// inside are the blobs in one folder of the bucket.
func (f fileBucket) inside(folder string) ([]BlobInfo, error) {
	entries, err := f.entries(folder)
	if errors.Is(err, fs.ErrPermission) {
		if _, notOurs := ulid.ParseStrict(folder); notOurs != nil {
			return nil, nil // As lost+found is.
		}
	}
	var out []BlobInfo
	for _, e := range entries {
		if !e.folder {
			out = append(out, e.BlobInfo)
		}
	}
	return out, err
}

// fileEntry is a blob or a folder.
type fileEntry struct {
	BlobInfo

	folder bool
}

// entries are those of a folder, which may be the bucket's own, "". Where a file goes while
// they are read they are read again: it may have got another name.
func (f fileBucket) entries(folder string) ([]fileEntry, error) {
	for tries := 0; ; tries++ {
		read, err := os.ReadDir(filepath.Join(f.dir, filepath.FromSlash(folder)))
		if folder != "" && errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		out, gone := make([]fileEntry, 0, len(read)), false
		for _, e := range read {
			found := fileEntry{BlobInfo: BlobInfo{Key: path.Join(folder, e.Name())}, folder: e.IsDir()}
			if !found.folder {
				info, err := e.Info()
				if errors.Is(err, fs.ErrNotExist) {
					gone = true
					continue
				}
				if err != nil {
					return nil, err
				}
				found.ModTime, found.Size = info.ModTime(), info.Size()
			}
			out = append(out, found)
		}
		if !gone || tries >= 100 {
			return out, nil
		}
	}
}

// Close does nothing: no file is open for longer than a call.
func (f fileBucket) Close() error { return nil }
