package main

import (
	"bytes"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"
)

// Lines have at most 140 columns, a tab counted as one, and files at most 500 lines. Generated files have what they
// have.
const maxColumns, maxLines = 140, 500

// width checks the sizes of lines and files. A line that a raw string is part of is as long as its text: JSON, regular
// expressions, metrics.
var width = &analysis.Analyzer{Name: "width", Doc: "lines have at most 140 columns, files at most 500 lines",
	Run: checkWidth}

func checkWidth(pass *analysis.Pass) (any, error) {
	for _, file := range pass.Files {
		if ast.IsGenerated(file) {
			continue
		}
		tokenFile := pass.Fset.File(file.FileStart)
		if filepath.Ext(tokenFile.Name()) != ".go" { // cgo's
			continue
		}
		text, err := os.ReadFile(tokenFile.Name())
		if err != nil {
			return nil, err
		}
		raw := rawLines(pass.Fset, file)
		number := 0
		for line := range bytes.Lines(text) {
			number++
			line = bytes.TrimSuffix(line, []byte("\n"))
			if utf8.RuneCount(line) > maxColumns && !raw[number] {
				pass.Reportf(tokenFile.LineStart(number), "the line has %d columns: at most %d", utf8.RuneCount(line), maxColumns)
			}
		}
		if number > maxLines {
			pass.Reportf(tokenFile.LineStart(maxLines+1), "the file has %d lines: at most %d", number, maxLines)
		}
	}
	return nil, nil
}

// rawLines are the numbers of the lines that have a part of a raw string.
func rawLines(fset *token.FileSet, file *ast.File) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(literal.Value, "`") {
			for line := fset.Position(literal.Pos()).Line; line <= fset.Position(literal.End()).Line; line++ {
				lines[line] = true
			}
		}
		return true
	})
	return lines
}
