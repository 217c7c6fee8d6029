package api

import (
	"errors"
	"go/ast"
	"go/build"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module   = "github.com/extractq/extractq"
	moduleAt = ".."
)

// program is what is compiled into the binary, checked from its source. What it imports
// from elsewhere is empty: the types that are looked for here are ours.
type program struct {
	fset     *token.FileSet
	packages map[string]*types.Package
	found    map[ast.Expr]types.TypeAndValue
}

// Import is for go/types.
func (p *program) Import(name string) (*types.Package, error) {
	if known := p.packages[name]; known != nil {
		return known, nil
	}
	pkg := types.NewPackage(name, path.Base(name))
	pkg.MarkComplete()
	if dir, ours := strings.CutPrefix(name, module); ours {
		var files []*ast.File
		here, err := build.Default.ImportDir(filepath.Join(moduleAt, dir), 0)
		if err != nil {
			return nil, err
		}
		for _, file := range here.GoFiles {
			f, err := parser.ParseFile(p.fset, filepath.Join(here.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
		config := types.Config{Importer: p, Error: func(error) {}} // Of what is empty.
		pkg, _ = config.Check(name, p.fset, files, &types.Info{Types: p.found})
	}
	p.packages[name] = pkg
	return pkg, nil
}

// readProgram checks every package of the module.
func readProgram(t *testing.T) *program {
	t.Helper()
	p := &program{fset: token.NewFileSet(), packages: map[string]*types.Package{}, found: map[ast.Expr]types.TypeAndValue{}}
	err := filepath.WalkDir(moduleAt, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); name != moduleAt && (strings.HasPrefix(name, ".") || name == "testdata" || name == "tools" || name == "node_modules") {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(moduleAt, dir)
		if err != nil {
			return err
		}
		_, err = p.Import(path.Join(module, filepath.ToSlash(rel)))
		if _, empty := errors.AsType[*build.NoGoError](err); empty {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The description lists every status, step, state and code that the program's source
// gives to one of their types, wherever that is.
func TestEnumerationsAreWhole(t *testing.T) {
	t.Parallel()
	listed := map[string][]string{}
	for is, e := range enums {
		of := is.PkgPath() + "." + is.Name()
		for _, v := range e.values {
			if slices.Contains(listed[of], v.(string)) {
				t.Errorf("%v is in the list of %s twice", v, of)
			}
			listed[of] = append(listed[of], v.(string))
		}
	}
	p := readProgram(t)
	uses := map[string]int{}
	for expr, is := range p.found {
		named, ok := types.Unalias(is.Type).(*types.Named)
		if !ok || named.Obj().Pkg() == nil || is.Value == nil || is.Value.Kind() != constant.String {
			continue
		}
		of, value := named.Obj().Pkg().Path()+"."+named.Obj().Name(), constant.StringVal(is.Value)
		if listed[of] == nil || value == "" {
			continue
		}
		if uses[of]++; !slices.Contains(listed[of], value) {
			t.Errorf("%s: %q is a %s that is not in its list", p.fset.Position(expr.Pos()), value, of)
		}
	}
	for of, all := range listed {
		if uses[of] <= 2*len(all) { // Each is declared, listed, and used.
			t.Errorf("%d uses of %s were found: the source was not read", uses[of], of)
		}
	}
}
