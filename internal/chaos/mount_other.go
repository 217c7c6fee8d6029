//go:build !linux

package chaos

func mount(string, string) error { return errNotMounted }
func unmount(string) error       { return nil }
func remount(string, bool) error { return errNotMounted }
