package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// source is what the SDK's own code tells.
type source struct {
	required map[string][]string // structures' required fields
	enums    map[string][]string // every enum's values
	reached  map[string]bool     // structures and enums that an input can hold
}

// readSource reads the SDK's package in dir.
func readSource(dir string) (*source, error) {
	s := &source{required: map[string][]string{}, enums: map[string][]string{}, reached: map[string]bool{}}
	structs := map[string]*ast.StructType{}
	for _, glob := range []string{"api_op_*.go", "validators.go", "types/types.go", "types/enums.go"} {
		paths, err := filepath.Glob(filepath.Join(dir, glob))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			for _, declaration := range file.Decls {
				s.read(declaration, structs)
			}
		}
	}
	for name := range structs {
		if strings.HasSuffix(name, "Input") {
			s.reach(name, structs)
		}
	}
	return s, nil
}

func (s *source) read(declaration ast.Decl, structs map[string]*ast.StructType) {
	switch d := declaration.(type) {
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok {
				if fields, ok := t.Type.(*ast.StructType); ok {
					structs[t.Name.Name] = fields
				}
			}
		}
	case *ast.FuncDecl:
		switch {
		case d.Name.Name == "Values" && d.Recv != nil:
			s.enums[d.Recv.List[0].Type.(*ast.Ident).Name] = literals(d.Body)
		case strings.HasPrefix(d.Name.Name, "validate") && d.Recv == nil:
			s.requires(d)
		}
	}
}

// requires reads a validator: func validateX(v *types.X) error, or for an operation's input func validateOpXInput(v
// *XInput) error.
func (s *source) requires(validator *ast.FuncDecl) {
	param := validator.Type.Params.List[0].Type
	name := typeName(param)
	if !isForeign(param) { // an operation's input, which a shape of package types may have the name of
		name = shapeName(name)
	}
	ast.Inspect(validator.Body, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		if called, ok := call.Fun.(*ast.SelectorExpr); ok && called.Sel.Name == "NewErrParamRequired" {
			s.required[name] = append(s.required[name], literals(call)...)
		}
		return true
	})
}

func (s *source) reach(name string, structs map[string]*ast.StructType) {
	if s.reached[shapeName(name)] {
		return
	}
	s.reached[shapeName(name)] = true
	fields, ok := structs[name]
	if !ok {
		return
	}
	for _, field := range fields.Fields.List {
		ast.Inspect(field.Type, func(node ast.Node) bool {
			if used, ok := node.(*ast.Ident); ok {
				s.reach(used.Name, structs)
			}
			return true
		})
	}
}

// shapeName is a type's name in the model: the SDK calls an operation's input XInput, and the services here XRequest.
func shapeName(name string) string {
	if operation, ok := strings.CutSuffix(name, "Input"); ok {
		return operation + "Request"
	}
	return name
}

// isForeign says whether a type is one of another package: *types.X, []types.X.
func isForeign(expr ast.Expr) bool {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return isForeign(e.X)
	case *ast.ArrayType:
		return isForeign(e.Elt)
	}
	_, is := expr.(*ast.SelectorExpr)
	return is
}

// typeName is the name of X in X, *X, []X and types.X.
func typeName(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// literals are the texts of all string literals in a node.
func literals(root ast.Node) []string {
	var texts []string
	ast.Inspect(root, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				texts = append(texts, text)
			}
		}
		return true
	})
	return texts
}
