package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// comments are what package api says of its types and their fields, by TYPE and TYPE.FIELD.
type comments map[string]string

// readComments reads the Go files of a folder.
func readComments(folder string) (comments, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("there are no Go files in %s", folder)
	}
	said := comments{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, declared := range tree.Decls {
			if group, ok := declared.(*ast.GenDecl); ok && group.Tok == token.TYPE {
				said.add(group)
			}
		}
	}
	return said, nil
}

func (c comments) add(group *ast.GenDecl) {
	for _, spec := range group.Specs {
		typ := spec.(*ast.TypeSpec)
		c[typ.Name.Name] = oneLine(group.Doc)
		s, ok := typ.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range s.Fields.List {
			text := oneLine(f.Doc)
			if behind := oneLine(f.Comment); behind != "" {
				text = strings.TrimSpace(text + " " + behind)
			}
			for _, name := range f.Names {
				c[typ.Name.Name+"."+name.Name] = text
			}
		}
	}
}

func oneLine(group *ast.CommentGroup) string { return strings.Join(strings.Fields(group.Text()), " ") }
