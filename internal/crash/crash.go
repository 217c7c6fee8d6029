// Package crash kills a process between two of its effects, where a test wants it.
//
// An effect is what outlives the process: a write to Redis, a request to a vendor or a
// producer, a blob, a line of a journal. Each passes one of a few doors, and each door
// calls this package before and after. A place where a process can be killed is a point.
// Its name says when, what and where:
//
//	before Redis EVALSHA: worker.submit > store.Records.Begin
//
// where the first part is the outermost function of a step and the second the one that has
// the effect. The names come from the stack, so that a new effect has a name without a line
// of code; internal/crash/points.txt lists them all, and a test compares it with what it
// has seen.
//
// Only a program that is built with the tag crash has points. In any other one each
// function here is empty.
package crash
