package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// read sets dst to the value of a key, if it is there, and reports whether it
// was set. A key without a value counts as absent.
func read[T any](s *section, key string, dst *T, parse func(string) (T, error)) bool {
	s.known = append(s.known, key)
	e, ok := s.entry(key)
	if !ok {
		return false
	}
	text, ok := s.scalar(e, s.name(key))
	if !ok {
		return false
	}
	v, err := parse(text)
	if err != nil {
		s.report(key, err)
		return false
	}
	*dst = v
	return true
}

// readList sets dst to the values of a list.
func readList[T any](s *section, key string, dst *[]T, parse func(string) (T, error)) {
	s.known = append(s.known, key)
	e, ok := s.entry(key)
	if !ok {
		return
	}
	n := s.file.plain(e.node)
	if _, ok := n.(*ast.NullNode); ok {
		return
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		s.report(key, errors.New("want a list, such as [a, b]"))
		return
	}
	for i, item := range list.Values {
		line, name := item.GetToken().Position.Line, fmt.Sprintf("%s[%d]", s.name(key), i)
		text, ok := s.scalar(entry{line: line, node: item}, name)
		if !ok {
			continue
		}
		v, err := parse(text)
		if err != nil {
			s.file.report(line, name, err)
			continue
		}
		*dst = append(*dst, v)
	}
}

// scalar is a value as text, references replaced.
func (s *section) scalar(e entry, name string) (string, bool) {
	var text string
	switch n := s.file.plain(e.node).(type) {
	case *ast.NullNode:
		return "", false
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		text = n.GetToken().Value
	case nil:
		s.file.report(e.line, name, errors.New("is an alias without an anchor"))
		return "", false
	default:
		s.file.report(e.line, name, errors.New("want one value"))
		return "", false
	}
	expanded, err := expand(text, s.file.lookup)
	if err != nil {
		s.file.report(e.line, name, err)
		return "", false
	}
	return expanded, true
}
