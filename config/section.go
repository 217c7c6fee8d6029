package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxAliases bounds the aliases and merges of one value, which YAML lets point at
// themselves.
const maxAliases = 50

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	// File is the file as it was named; empty where no file is to blame.
	File string
	// Line counts from 1; 0 where the file as a whole is meant.
	Line int
	// Key is the path of the setting, "accounts.acme.rate".
	Key string
	// Err says what is wanted. It never repeats a value.
	Err error
}

// Error gives "extractq.yaml:12: accounts.acme.rate: want …".
func (p *Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	// One problem is one line, also when its value had several.
	b.WriteString(strings.ReplaceAll(p.Err.Error(), "\n", "; "))
	return b.String()
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// file is a configuration file while it is read.
type file struct {
	name     string
	lookup   func(string) (string, bool)
	anchors  anchors
	problems []*Problem
}

func (f *file) report(line int, key string, err error) {
	f.problems = append(f.problems, &Problem{File: f.name, Line: line, Key: key, Err: err})
}

// err is all problems, in the order of the file.
func (f *file) err() error {
	slices.SortFunc(f.problems, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Err.Error(), b.Err.Error()))
	})
	errs := make([]error, len(f.problems))
	for i, p := range f.problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// parse returns the top section. A file that is not YAML is one problem: the
// library stops at the first. Its message is taken without the excerpt of the
// source that it usually has, since that may show a secret.
func (f *file) parse(source []byte) section {
	tree, err := parser.ParseBytes(source, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, text := 0, "is not YAML"
		if e, ok := errors.AsType[yaml.Error](err); ok {
			text = e.GetMessage()
			if tk := e.GetToken(); tk != nil {
				line = tk.Position.Line
			}
		}
		f.report(line, "", errors.New(text))
		return section{file: f}
	}
	bodies := slices.DeleteFunc(tree.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(bodies) == 0 {
		return section{file: f}
	}
	if len(bodies) > 1 {
		f.report(bodies[1].Body.GetToken().Position.Line, "", errors.New("want one YAML document, found several"))
	}
	ast.Walk(f.anchors, bodies[0].Body)
	return f.section("", 1, bodies[0].Body)
}

// anchors collects the values that have an anchor, by its name.
type anchors map[string]ast.Node

// Visit makes anchors an ast.Visitor.
func (a anchors) Visit(n ast.Node) ast.Visitor {
	if n, ok := n.(*ast.AnchorNode); ok {
		a[n.Name.String()] = n.Value
	}
	return a
}

// plain strips anchors and tags, and follows aliases.
func (f *file) plain(n ast.Node) ast.Node {
	for range maxAliases {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			n = v.Value
		case *ast.AliasNode:
			n = f.anchors[v.Value.String()]
		default:
			return n
		}
	}
	return nil
}

// section is one mapping of the file. Its readers note which keys they asked
// for; close reports the others.
type section struct {
	file    *file
	path    string
	line    int
	entries []entry
	known   []string
}

// entry is one key of a section with its value.
type entry struct {
	key  string
	line int
	node ast.Node
}

func (f *file) section(path string, line int, n ast.Node) section {
	s := section{file: f, path: path, line: line}
	merges := s.add(f.plain(n), false)
	for i := 0; i < len(merges); i++ {
		if i == maxAliases {
			f.report(line, path, errors.New("merges too much"))
			break
		}
		if list, ok := f.plain(merges[i]).(*ast.SequenceNode); ok {
			merges = slices.Insert(merges, i+1, list.Values...)
			continue
		}
		merges = slices.Insert(merges, i+1, s.add(f.plain(merges[i]), true)...)
	}
	return s
}

// add takes the entries of a mapping, when merging (<<) those that the section
// does not have yet, and returns what the mapping merges itself.
func (s *section) add(n ast.Node, merging bool) (merges []ast.Node) {
	if _, ok := n.(*ast.NullNode); ok {
		return nil
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		s.file.report(s.line, s.path, errors.New("want keys with values"))
		return nil
	}
	for it := m.MapRange(); it.Next(); {
		if it.Key().IsMergeKey() {
			merges = append(merges, it.Value())
			continue
		}
		e := entry{key: keyText(it.Key()), line: it.Key().GetToken().Position.Line, node: it.Value()}
		if _, twice := s.entry(e.key); !twice {
			s.entries = append(s.entries, e)
		} else if !merging {
			s.file.report(e.line, s.name(e.key), errors.New("is there twice"))
		}
	}
	return merges
}

func keyText(n ast.MapKeyNode) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	return n.GetToken().Value
}

// name is the path of a key of the section.
func (s *section) name(key string) string {
	if !printable(key) {
		key = fmt.Sprintf("%q", key)
	}
	if s.path == "" {
		return key
	}
	return s.path + "." + key
}

func (s *section) entry(key string) (entry, bool) {
	i := slices.IndexFunc(s.entries, func(e entry) bool { return e.key == key })
	if i < 0 {
		return entry{}, false
	}
	return s.entries[i], true
}

// lineOf is the line of a key, and the section's own where it is not there.
func (s *section) lineOf(key string) int {
	if e, ok := s.entry(key); ok {
		return e.line
	}
	return s.line
}

// report blames a key of the section.
func (s *section) report(key string, err error) {
	s.file.report(s.lineOf(key), s.name(key), err)
}

// child is the section below a key, an empty one where there is none.
func (s *section) child(key string) section {
	s.known = append(s.known, key)
	e, ok := s.entry(key)
	if !ok {
		return section{file: s.file, path: s.name(key), line: s.line}
	}
	return s.file.section(s.name(key), e.line, e.node)
}

// children are the sections below the section's keys, whatever these are.
func (s *section) children() map[string]section {
	all := map[string]section{}
	for _, e := range s.entries {
		all[e.key] = s.child(e.key)
	}
	return all
}

// close reports unknown keys.
func (s *section) close() {
	for _, e := range s.entries {
		if !slices.Contains(s.known, e.key) {
			s.file.report(e.line, s.name(e.key), fmt.Errorf("unknown key; the keys here are %s", strings.Join(s.known, ", ")))
		}
	}
}
