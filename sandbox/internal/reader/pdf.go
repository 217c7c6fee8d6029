package reader

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// maxDepth bounds every walk through a document's objects: page trees, field
// trees and forms within forms. Real ones have fewer than ten levels.
const maxDepth = 32

// pdf is one open PDF. The library gives its objects; what the objects mean, the
// text above all, is read here.
//
// Errors within a page lose that part of the page and nothing else, as in any
// viewer. Only limits end the reading, by a panic with errTooMuch that readPDF
// catches: they may be hit anywhere.
type pdf struct {
	ctx    context.Context // of one reading, for the loops to look at
	xref   *model.XRefTable
	limits Limits
	// steps counts the work done since the last look at ctx.
	steps   int
	decoded int64
	fonts   map[types.IndirectRef]*fontFace
}

func readPDF(parent context.Context, data []byte, limits Limits) (doc *Document, err error) {
	ctx, cancel := context.WithTimeoutCause(parent, limits.Time, errTooMuch)
	defer cancel()
	// The library parses what strangers wrote. A panic of its is a bad document,
	// not a bad process.
	defer func() {
		if cause := recover(); cause != nil {
			doc, err = nil, refuse(ctx, cause)
		}
	}()
	p, err := openPDF(ctx, data, limits)
	if err != nil {
		if errors.Is(err, pdfcpu.ErrWrongPassword) || errors.Is(err, pdfcpu.ErrPermissionDenied) {
			return nil, &Refusal{Reason: ReasonEncrypted, Err: err}
		}
		return nil, refuse(ctx, err)
	}
	root := p.dict(p.xref.Root)
	pages := p.pages(root)
	if len(pages) == 0 {
		return nil, &Refusal{Reason: ReasonInvalid}
	}
	doc = &Document{ContentType: typePDF, Info: p.info(), Fields: p.form(root)}
	room := limits.TextBytes
	for _, page := range pages {
		text := p.pageText(page, room)
		room -= len(text)
		doc.Pages = append(doc.Pages, text)
	}
	return doc, nil
}

func openPDF(ctx context.Context, data []byte, limits Limits) (*pdf, error) {
	// Written out, because the library's own default configuration would create
	// files in the user's home.
	conf := &model.Configuration{
		Reader15:       true,
		ValidationMode: model.ValidationRelaxed,
		Offline:        true,
		Cmd:            model.LISTINFO,
		Limits:         model.DefaultResourceLimits(),
	}
	conf.Limits.MaxDecodeBytes = limits.DecodedBytes
	conf.Limits.MaxObjectCount = 2_000_000
	conf.Limits.MaxXRefEntries = 2_000_000
	parsed, err := pdfcpu.ReadWithContext(ctx, bytes.NewReader(data), conf)
	if err != nil {
		return nil, err
	}
	if parsed.XRefTable == nil || parsed.Root == nil {
		return nil, errors.New("no document catalog")
	}
	return &pdf{ctx: ctx, xref: parsed.XRefTable, limits: limits, fonts: map[types.IndirectRef]*fontFace{}}, nil
}

// work is called by every loop whose length the document decides.
func (p *pdf) work(steps int) {
	p.steps += steps
	if p.steps < 4096 {
		return
	}
	p.steps = 0
	if p.ctx.Err() != nil {
		panic(context.Cause(p.ctx))
	}
}

// object follows references; nil for null, for what is missing and for what is
// broken.
func (p *pdf) object(o types.Object) types.Object {
	p.work(1)
	if ref, ok := o.(*types.IndirectRef); ok && ref != nil {
		o = *ref
	}
	o, err := p.xref.Dereference(o)
	if err != nil {
		return nil
	}
	return o
}

// dict is a dictionary, or the dictionary of a stream; nil for anything else. A
// nil Dict has no entries.
func (p *pdf) dict(o types.Object) types.Dict {
	switch o := p.object(o).(type) {
	case types.Dict:
		return o
	case types.StreamDict:
		return o.Dict
	}
	return nil
}

func (p *pdf) array(o types.Object) types.Array {
	a, _ := p.object(o).(types.Array)
	return a
}

func (p *pdf) name(o types.Object) string {
	n, _ := p.object(o).(types.Name)
	return string(n)
}

func (p *pdf) number(o types.Object) (float64, bool) {
	switch o := p.object(o).(type) {
	case types.Integer:
		return float64(o), true
	case types.Float:
		return float64(o), true
	}
	return 0, false
}

func (p *pdf) integer(o types.Object) int {
	n, _ := p.number(o)
	return int(n)
}

// text is a string object for people: UTF-16, UTF-8 or PDFDocEncoding. It is a
// copy, as everything must be that outlives the reading: the library's strings
// are parts of the file and would keep all of it in memory.
func (p *pdf) text(o types.Object) string {
	s, err := p.xref.DereferenceText(o)
	if err != nil {
		return ""
	}
	return strings.Clone(s)
}

// stream is the decoded content of a stream; nil if there is none.
func (p *pdf) stream(o types.Object) []byte {
	sd, ok := p.object(o).(types.StreamDict)
	if !ok {
		return nil
	}
	if sd.Content == nil {
		err := sd.DecodeWithLimit(p.limits.DecodedBytes - p.decoded)
		if errors.Is(err, filter.ErrDecodeLimitExceeded) {
			panic(errTooMuch)
		}
		if err != nil {
			return nil
		}
	}
	p.decoded += int64(len(sd.Content))
	if p.decoded >= p.limits.DecodedBytes {
		panic(errTooMuch)
	}
	p.work(len(sd.Content) / 64)
	return sd.Content
}

// page is one page with what it inherits.
type page struct {
	dict      types.Dict
	resources types.Dict
}

// pages walks the page tree. The tree's own counts are not believed.
func (p *pdf) pages(root types.Dict) []page {
	var pages []page
	var above []types.IndirectRef
	var walk func(o types.Object, resources types.Dict)
	walk = func(o types.Object, resources types.Dict) {
		ref, isRef := o.(types.IndirectRef)
		if len(above) > maxDepth || isRef && slices.Contains(above, ref) {
			return
		}
		node := p.dict(o)
		if own := p.dict(node["Resources"]); own != nil {
			resources = own
		}
		kids := p.array(node["Kids"])
		if kids == nil {
			if node != nil && p.name(node["Type"]) != "Pages" {
				pages = append(pages, page{node, resources})
			}
			if len(pages) > p.limits.Pages {
				panic(errTooMuch)
			}
			return
		}
		above = append(above, ref)
		for _, kid := range kids {
			walk(kid, resources)
		}
		above = above[:len(above)-1]
	}
	walk(root["Pages"], nil)
	return pages
}

// info is the document information dictionary, less its dates' odd spelling.
func (p *pdf) info() map[string]string {
	info := map[string]string{}
	if p.xref.Info == nil {
		return info
	}
	for key, o := range p.dict(*p.xref.Info) {
		if s := p.text(o); s != "" && len(info) < 64 && len(s) <= 4096 {
			info[strings.Clone(key)] = s
		}
	}
	return info
}
