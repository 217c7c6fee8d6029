package vendorhttp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestExact(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		r    io.Reader
		n    int64
		want string
		err  error
	}{
		"equal":              {strings.NewReader("hello"), 5, "hello", nil},
		"equal, EOF at once": {iotest.DataErrReader(strings.NewReader("hello")), 5, "hello", nil},
		"byte by byte":       {iotest.OneByteReader(strings.NewReader("hello")), 5, "hello", nil},
		"empty":              {strings.NewReader(""), 0, "", nil},
		"short":              {strings.NewReader("hell"), 5, "hell", errShort},
		"long":               {strings.NewReader("hello!"), 5, "", errLong},
		"long, byte by byte": {iotest.OneByteReader(strings.NewReader("hello!")), 5, "hell", errLong},
		"not empty":          {strings.NewReader("x"), 0, "", errLong},
		"broken":             {io.MultiReader(strings.NewReader("he"), iotest.ErrReader(broken)), 5, "he", broken},
		"broken at the end":  {io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(broken)), 5, "", broken},
		"wrapped EOF":        {iotest.ErrReader(errors.Join(broken, io.EOF)), 5, "", broken},
		"no progress":        {idle{}, 0, "", io.ErrNoProgress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := Exact(io.NopCloser(tt.r), tt.n)
			got, err := io.ReadAll(x)
			if string(got) != tt.want || !errors.Is(err, tt.err) || (tt.err == nil) != (err == nil) {
				t.Errorf("read %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
			if _, again := x.Read(make([]byte, 1)); again == nil {
				t.Errorf("reading on gave no error")
			}
		})
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// TestBodySeal is the race that matters: a verdict is given while the transport
// is about to take the last bytes.
func TestBodySeal(t *testing.T) {
	t.Parallel()
	read, reading := make(chan struct{}), make(chan struct{})
	b := Stream("", io.NopCloser(readerFunc(func(p []byte) (int, error) {
		close(reading)
		<-read
		return copy(p, "hello"), io.EOF
	})), 5)
	transport := &tracked{body: b, r: b.stream, ctx: t.Context()}
	done := make(chan error)
	go func() {
		n, err := transport.Read(make([]byte, 10))
		if n != 0 {
			err = errors.New("bytes went out after the verdict")
		}
		done <- err
	}()
	<-reading
	if b.seal() {
		t.Errorf("a body that was not handed out counts as read")
	}
	close(read)
	if err := <-done; !errors.Is(err, errSealed) {
		t.Errorf("late read: %v, want %v", err, errSealed)
	}
	if b.seal() {
		t.Errorf("the verdict changed")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestBodyClosed: what a reader says after the transport has closed it is not
// why the request failed; what it says before is.
func TestBodyClosed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, first := range []bool{true, false} {
		b := Stream("", io.NopCloser(iotest.ErrReader(broken)), 5)
		transport := &tracked{body: b, r: b.stream, ctx: t.Context()}
		if !first {
			_ = transport.Close()
		}
		_, _ = transport.Read(make([]byte, 1))
		if got := b.failure(); errors.Is(got, broken) != first {
			t.Errorf("read before close %t: failure %v", first, got)
		}
	}
}

func TestBodyComplete(t *testing.T) {
	t.Parallel()
	b := Stream("", io.NopCloser(bytes.NewReader(make([]byte, 100))), 100)
	transport := &tracked{body: b, r: b.stream, ctx: t.Context()}
	if _, err := io.ReadFull(transport, make([]byte, 99)); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	complete := b.complete
	b.mu.Unlock()
	if complete {
		t.Errorf("complete before the last byte")
	}
	if _, err := transport.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if !b.seal() {
		t.Errorf("not complete after the last byte")
	}
}
